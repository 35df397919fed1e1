"""AppArmor profiles in the kernel: ours is loaded when it is needed, others must be there.

Called before a container is created. On hosts without AppArmor nothing is ever asked of it.
"""

from __future__ import annotations

import asyncio
import logging

from podwright.errors import FailedPrecondition
from podwright.process import Command, ProcessRunner
from podwright.runtime.model.container import ContainerSecurity
from podwright.runtime.model.sandbox import SandboxSecurity
from podwright.runtime.security import apparmor_profile

log = logging.getLogger(__name__)

PROFILES = "/sys/kernel/security/apparmor/profiles"
PARSER_TIMEOUT_S = 20.0


class AppArmor:
    """The host's AppArmor. `default` is the name of the profile for containers that ask for none."""

    def __init__(
        self,
        runner: ProcessRunner,
        *,
        supported: bool,
        default: str,
        profiles: str = PROFILES,
        parser: str = "apparmor_parser",
    ) -> None:
        """`profiles` is where the kernel lists what is loaded."""
        self._runner = runner
        self._supported = supported
        self._default = default
        self._profiles = profiles
        self._parser = parser
        self._loading = asyncio.Lock()

    async def profile(self, security: ContainerSecurity | SandboxSecurity) -> str:
        """The loaded profile for a container or a pod's first process; empty for none. Raises FailedPrecondition."""
        name = apparmor_profile.profile_name(security, default=self._default, supported=self._supported)
        if not name or self._is_loaded(name):
            return name
        if name != self._default:
            raise FailedPrecondition(
                f"the apparmor profile {name!r} is not loaded", hint="load it on this node with apparmor_parser"
            )
        async with self._loading:
            if not self._is_loaded(name):
                await self._load(name)
        return name

    def _is_loaded(self, name: str) -> bool:
        try:
            with open(self._profiles, encoding="utf-8", errors="replace") as file:
                return name in apparmor_profile.loaded_names(file.read())
        except OSError as failure:
            raise FailedPrecondition(
                f"apparmor's profiles cannot be read: {failure.strerror}",
                hint="mount -t securityfs none /sys/kernel/security",
            ) from failure

    async def _load(self, name: str) -> None:
        """Load our profile under that name, for every container from now on."""
        text = apparmor_profile.default_profile(name).encode()
        argv = (self._parser, "--replace", "--skip-cache")
        loaded = await self._runner.run(Command(argv=argv, timeout_s=PARSER_TIMEOUT_S, stdin=text))
        if loaded.returncode:
            raise FailedPrecondition(f"apparmor profile {name} cannot be loaded: {loaded.error_text()}")
        log.info("apparmor profile is loaded: name=%s", name)
