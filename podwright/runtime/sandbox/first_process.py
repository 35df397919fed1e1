"""The first process of a pod, which the pod's handler starts and stops.

Pods that share their PID namespace have one, and all pods of a handler that needs it.
"""

from __future__ import annotations

import msgspec

from podwright.linux.selinux import Contexts
from podwright.runtime.handlers.protocol import SandboxBundle, SandboxProcess
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.oci_spec import sandbox as sandbox_spec
from podwright.runtime.oci_spec.cgroups import cgroup_directory, cgroups_path
from podwright.runtime.sandbox.paths import SandboxPaths
from podwright.runtime.security.confining import PodConfinement
from podwright.runtime.security.selinux import of_sandbox


class FirstProcesses(msgspec.Struct, frozen=True, kw_only=True):
    """`confinement` finds a pod's security profiles.

    `selinux` are the contexts that the host's policy gives containers.
    """

    handlers: Handlers
    oom_score_adj: int
    systemd: bool  # whether systemd creates the cgroups
    confinement: PodConfinement
    selinux: Contexts | None = None

    async def start(self, sandbox: Sandbox, paths: SandboxPaths, pins: dict[str, str]) -> SandboxProcess:
        """Start it in the pod's namespaces `pins`. Raises what the handler raises. A failure leaves nothing behind."""
        handler = self.handlers.get(sandbox.handler)
        spec = sandbox_spec.spec(
            sandbox,
            pins=pins,
            cgroups_path=cgroups_path(sandbox.cgroup_parent, sandbox.id, systemd=self.systemd),
            oom_score_adj=self.oom_score_adj,
            confinement=await self.confinement.of(sandbox),
            labels=of_sandbox(self.selinux, sandbox),
            annotations=handler.capabilities.policy.allowed(sandbox.config.annotations),
        )
        return await handler.create_sandbox(self._bundle(sandbox, paths), spec)

    async def ended(self, sandbox: Sandbox) -> None:
        """Return when it has ended. May raise OSError for a while: call it again."""
        await self.handlers.of_record(sandbox.handler).wait_sandbox(sandbox.process)

    async def stop(self, sandbox: Sandbox, paths: SandboxPaths) -> None:
        """Kill it and remove what belongs to it. An absent one succeeds."""
        await self.handlers.of_record(sandbox.handler).stop_sandbox(self._bundle(sandbox, paths))

    def _bundle(self, sandbox: Sandbox, paths: SandboxPaths) -> SandboxBundle:
        cgroup = cgroup_directory(sandbox.cgroup_parent, sandbox.id, systemd=self.systemd)
        return SandboxBundle(id=sandbox.id, directory=paths.infra, cgroup=cgroup)
