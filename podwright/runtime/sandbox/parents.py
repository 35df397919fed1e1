"""The parent cgroups of pods whose request names none, and the base cgroup above them.

A kubelet creates and removes its pods' cgroups. With the cgroupfs driver, OCI runtimes create missing parents of a
container's cgroup. With the systemd driver, systemd creates them, but slices stay loaded until someone stops them.
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
from podwright.runtime.sandbox.base_cgroup import BaseCgroup

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 20.0


class Parents:
    """Chooses parent cgroups and removes those that we make."""

    def __init__(
        self, settings: ContainerSettings, base: BaseCgroup, cgroups: CgroupHost, runner: ProcessRunner
    ) -> None:
        self._base = base
        self._systemd = settings.cgroup_driver == "systemd"
        self._cgroups = cgroups
        self._runner = runner

    def of(self, config: SandboxConfig, sandbox_id: str) -> str:
        """A pod's parent cgroup. Raises InvalidArgument if the request names an invalid one."""
        return pod_parent(config.cgroup_parent, self._base.name, sandbox_id, systemd=self._systemd)

    async def remove(self, sandbox: Sandbox) -> None:
        """Remove the parent of a pod without containers, if we made it. An absent one succeeds.

        Raises OSError if it is busy.
        """
        if not sandbox.config.cgroup_parent:
            await self._remove(sandbox.cgroup_parent)

    async def remove_base(self) -> None:
        """Remove the base cgroup if we made it and it is empty. Raises OSError if processes are in it."""
        if self._base.is_removable():  # systemd stops all that is in a slice
            await self._remove(self._base.name)

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
            log.warning("cannot stop slice: slice=%s error=%s", name, problem)
