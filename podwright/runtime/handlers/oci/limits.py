"""Limits as OCI runtimes take them."""

from __future__ import annotations

from typing import Any

from podwright.linux import cgroup_limits
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.handlers.oci.runtime import OciRuntime
from podwright.runtime.handlers.protocol import Bundle
from podwright.runtime.model.base import Resources
from podwright.runtime.oci_spec import resources

KNOW_FILES = frozenset({"crun", "runc"})  # runtimes that write the spec's files of cgroup v2


def of_host(oci: dict[str, Any], runtime: OciRuntime, cgroups: CgroupHost) -> dict[str, Any]:
    """OCI resources as the runtime sets them right on this host."""
    knows = cgroups.layout == "v2" and runtime.programs.kind in KNOW_FILES
    return resources.with_swap_file(oci) if knows else oci


async def set_limits(runtime: OciRuntime, cgroups: CgroupHost, bundle: Bundle, now: Resources) -> None:
    """Have the runtime set them. Raises RuntimeFailed and DeadlineExceeded."""
    oci = of_host(resources.oci_resources(now), runtime, cgroups)
    # crun before 1.8.7 cannot write "no quota" to v1's files.
    if runtime.is_crun and "cpu" in cgroups.controllers and now.cpu_quota == resources.UNLIMITED:
        cgroup_limits.lift_v1_cpu_quota(cgroups, bundle.cgroup)
        oci = resources.without_quota(oci)
    await runtime.update(bundle.id, oci)
