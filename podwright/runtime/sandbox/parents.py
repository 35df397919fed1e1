"""The parent cgroups that are ours: those of pods whose request names none, and the one above them all.

A kubelet makes and removes its pods' cgroups itself. With the cgroupfs driver OCI runtimes make what is missing on
the way to a container; with systemd they have it made, but slices stay loaded until somebody stops them.
"""

from __future__ import annotations

import logging

from podwright.errors import PodwrightError
from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost
from podwright.process import Command, ProcessRunner
from podwright.runtime.config import ContainerSettings
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig
from podwright.runtime.oci_spec.cgroups import pod_parent, slice_name

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 20.0


class Parents:
    """Names parents, and removes ours."""

    def __init__(self, settings: ContainerSettings, cgroups: CgroupHost, runner: ProcessRunner) -> None:
        self._base = settings.cgroup_parent
        self._systemd = settings.cgroup_driver == "systemd"
        self._cgroups = cgroups
        self._runner = runner

    def of(self, config: SandboxConfig, sandbox_id: str) -> str:
        """A pod's parent. Raises InvalidArgument when its request names one that cannot be."""
        return pod_parent(config.cgroup_parent, self._base, sandbox_id, systemd=self._systemd)

    async def remove(self, sandbox: Sandbox) -> None:
        """That of a pod whose containers are gone, if it is ours; an absent one is fine. Raises OSError when busy."""
        if not sandbox.config.cgroup_parent:
            await self._remove(sandbox.cgroup_parent)

    async def remove_base(self) -> None:
        """The one above them all. Raises OSError when somebody else has put something there."""
        await self._remove(self._base)

    async def _remove(self, parent: str) -> None:
        if not self._systemd:
            cgroup.remove(self._cgroups, parent)
            return
        name = slice_name(parent)
        try:
            completed = await self._runner.run(Command(argv=("systemctl", "stop", name), timeout_s=STOP_TIMEOUT_S))
            problem = completed.error_text() if completed.returncode != 0 else ""
        except PodwrightError as failure:
            problem = str(failure)
        if problem:
            log.warning("a slice is left to systemd: slice=%s error=%s", name, problem)
