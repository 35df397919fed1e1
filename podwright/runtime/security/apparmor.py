"""AppArmor profiles in the kernel. Ours is loaded when needed, others must already be loaded.

Called before a container is created. Hosts without AppArmor skip all of it.
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
    """The host's AppArmor. `default` is the name of the profile for containers without one."""

    def __init__(
        self,
        runner: ProcessRunner,
        *,
        supported: bool,
        default: str,
        profiles: str = PROFILES,
        parser: str = "apparmor_parser",
    ) -> None:
        """`profiles` is the kernel's list of loaded profiles."""
        self._runner = runner
        self._supported = supported
        self._default = default
        self._profiles = profiles
        self._parser = parser
        self._loading = asyncio.Lock()

    async def profile(self, security: ContainerSecurity | SandboxSecurity) -> str:
        """The loaded profile for a container or a pod's first process, or "". Raises FailedPrecondition."""
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
                f"cannot read apparmor's profiles: {failure.strerror}",
                hint="mount -t securityfs none /sys/kernel/security",
            ) from failure

    async def _load(self, name: str) -> None:
        """Load our profile under that name, for all later containers."""
        text = apparmor_profile.default_profile(name).encode()
        argv = (self._parser, "--replace", "--skip-cache")
        loaded = await self._runner.run(Command(argv=argv, timeout_s=PARSER_TIMEOUT_S, stdin=text))
        if loaded.returncode:
            raise FailedPrecondition(f"cannot load apparmor profile {name}: {loaded.error_text()}")
        log.info("apparmor profile is loaded: name=%s", name)
