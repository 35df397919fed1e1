"""What confines the first process of a pod that shares its PID namespace: its seccomp and AppArmor profiles.

Made by `services` for the room of sandboxes, which knows nothing of profiles. That process has no capabilities and
nothing to read: unlike a container, it is given no profile of AppArmor unasked.
"""

from __future__ import annotations

import asyncio
from typing import Any

from podwright.runtime.container.profiles import Profiles, localhost_profile
from podwright.runtime.container.spec.builder import HostFacts, seccomp_section
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.sandbox.infra import Confinement


class PodConfinement:
    """Called with a sandbox whose first process is about to be started."""

    def __init__(self, host: HostFacts, profiles: Profiles) -> None:
        self._host = host
        self._profiles = profiles

    async def __call__(self, sandbox: Sandbox) -> Confinement:
        """Raises InvalidArgument and FailedPrecondition as for a container; privileged pods have no profiles."""
        security = sandbox.config.security
        if security.privileged:
            return Confinement()
        profile = await self._profiles.apparmor.profile(security) if security.apparmor is not None else ""
        return Confinement(seccomp=await asyncio.to_thread(self._seccomp, sandbox), apparmor_profile=profile)

    def _seccomp(self, sandbox: Sandbox) -> dict[str, Any] | None:
        wanted = sandbox.config.security.seccomp
        return seccomp_section(
            wanted,
            self._host,
            granted=(),
            default=self._profiles.seccomp,
            localhost=localhost_profile(f"sandbox {sandbox.id[:12]}", wanted),
        )
