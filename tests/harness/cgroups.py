"""Cgroups as the driver under test makes them, for tests that stand where a kubelet does."""

from __future__ import annotations

from podwright.agent.resources.cgroup_names import CgroupNames, names_of
from podwright.agent.resources.drivers import CgroupDriver, CgroupfsDriver, SystemdDriver
from podwright.linux import cgroup
from podwright.process import PosixProcessRunner
from podwright.runtime.oci_spec.cgroups import cgroup_directory
from tests.harness.scratch import Part


def driver_of(part: Part) -> CgroupDriver:
    """The driver that makes cgroups in a part."""
    host = cgroup.detect()
    return SystemdDriver(host, PosixProcessRunner()) if part.driver == "systemd" else CgroupfsDriver(host)


def names_in(part: Part) -> CgroupNames:
    """The tree of cgroups below a part's own."""
    return names_of(part.driver, part.cgroup_parent)


def container_cgroup(part: Part, parent: str, container_id: str) -> str:
    """The path of the cgroup of a container, or of a sandbox's first process, below a pod's parent."""
    return cgroup_directory(parent, container_id, systemd=part.driver == "systemd")
