"""The handlers that are OCI runtimes: those of the configuration, or without any there every one that is installed."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
from collections.abc import Collection

from podwright.errors import FailedPrecondition
from podwright.linux.cgroup import CgroupHost
from podwright.process import ProcessRunner, find_executable, has_program
from podwright.runtime.config import Config, OciHandlerSettings
from podwright.runtime.handlers.oci import abandoned, exit_directories, launcher, waiter
from podwright.runtime.handlers.oci.handler import Launchers, OciHandler
from podwright.runtime.handlers.oci.runtime import OciRuntime, Programs
from podwright.runtime.handlers.oci.task import OciHost
from podwright.runtime.handlers.protocol import Handler, PodPolicy
from podwright.runtime.security.profiles import load_profile

PREFERENCE = ("crun", "runc")
# The devices that a runtime makes have the modes that the spec says only without a umask. crun takes none by itself
# since 1.14; with any, containers begin with 022. runc sees to its devices, and makes files that want a umask.
OWN_UMASK, NO_UMASK = 0o022, 0
NO_SETTINGS = OciHandlerSettings()
SANDBOXES = {"auto": None, "yes": True, "no": False}
NO_PROGRAMS = Programs(runtime="crun", kind="", conmon="conmon", conmon_options=frozenset())


class OciKind:
    """All handlers that are OCI runtimes. The runtimes keep their state below `runtimes` in the daemon's."""

    def __init__(self, config: Config, runner: ProcessRunner, cgroups: CgroupHost) -> None:
        """A handler whose runtime or monitor is missing is broken. Raises what `load_profile` raises."""
        self._root = config.root
        self._state = config.state
        self._host = OciHost(
            cgroups=cgroups, state=config.state, runner=runner, criu_directory=config.checkpoint.criu_dir
        )
        self._runtimes = f"{config.state}/runtimes"
        os.makedirs(self._runtimes, mode=0o700, exist_ok=True)
        self._make_runtime = functools.partial(
            OciRuntime,
            runner=runner,
            timeout_s=config.containers.runtime_timeout_s,
            systemd_cgroup=config.containers.cgroup_driver == "systemd",
        )
        self._launchers = _launchers(f"{config.root}/launchers")
        wanted = _wanted(config)
        self._roots = {one.root for one in wanted.values() if one.root}
        ordered = sorted(wanted, key=lambda name: PREFERENCE.index(name) if name in PREFERENCE else len(PREFERENCE))
        self._programs: dict[str, Programs] = {}
        self.handlers: dict[str, Handler] = {}
        self.broken: dict[str, str] = {}
        for name in ordered:
            try:
                self._programs[name] = self._find(name, wanted[name])
            except FailedPrecondition as missing:
                self.broken[name] = str(missing)
            else:
                self.handlers[name] = self._make(name, self._programs[name], wanted[name])

    def _find(self, name: str, settings: OciHandlerSettings) -> Programs:
        """The handler's programs, of which nothing is known yet. Raises FailedPrecondition when one is missing."""
        return Programs(
            runtime=_program(settings.path or name),
            kind="",
            conmon=_program(settings.conmon),
            conmon_options=frozenset(),
            launcher=self._launchers.others,
        )

    def _make(self, name: str, programs: Programs, settings: OciHandlerSettings = NO_SETTINGS) -> OciHandler:
        state, arguments = settings.root or self._runtimes, settings.arguments
        profile = load_profile(settings.seccomp_profile) if settings.seccomp_profile else None
        return OciHandler(
            self._host,
            self._make_runtime(name, programs, state=state, arguments=arguments),
            sandboxes=SANDBOXES[settings.sandbox_container],
            launchers=self._launchers,
            policy=PodPolicy(annotations=settings.allowed_annotations, seccomp=profile),
        )

    def of_record(self, name: str) -> Handler:
        """The programs of the first handler are tried. What no program can delete is removed without one."""
        return self._make(name, next(iter(self._programs.values()), NO_PROGRAMS))

    async def end_abandoned(self) -> None:
        """Ends calls of OCI runtimes, and mounts the filesystem for exit files."""
        for root in (self._runtimes, *self._roots):
            await asyncio.to_thread(abandoned.end_calls, root)
        exit_directories.open_place(self._state)

    async def sweep(self, known: Collection[str]) -> None:
        for name in exit_directories.names(self._state):
            if name not in known:
                await asyncio.to_thread(shutil.rmtree, exit_directories.path(self._state, name), ignore_errors=True)

    async def close(self) -> None:
        exit_directories.close_place(self._state)


def _wanted(config: Config) -> dict[str, OciHandlerSettings]:
    """Those of the configuration. Without any handler there, every one of PREFERENCE that is installed."""
    if config.handlers:
        return {name: one for name, one in config.handlers.items() if isinstance(one, OciHandlerSettings)}
    return {name: OciHandlerSettings() for name in PREFERENCE if has_program(name)}


def _launchers(folder: str) -> Launchers:
    """A launcher for each umask, and the waiter. Raises OSError."""
    machine = os.uname().machine

    def with_umask(umask: int) -> tuple[str, ...]:
        return launcher.install(f"{folder}/{umask:03o}", umask=umask, machine=machine)

    return Launchers(
        crun=with_umask(NO_UMASK), others=with_umask(OWN_UMASK), waiter=waiter.install(f"{folder}/waiter")
    )


def _program(name: str) -> str:
    """The absolute path of a program that can be run. Raises FailedPrecondition."""
    path = find_executable(name)
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        raise FailedPrecondition(f"{path} is not a program", hint="install it, or correct [handlers] in the config")
    return path
