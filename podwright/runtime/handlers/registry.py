"""The configured handlers, by CRI's handler name: found, asked for their features, and looked up."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Mapping

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux import selinux
from podwright.linux.sealed import SealedProgram
from podwright.process import ProcessRunner, find_executable
from podwright.runtime import config as configuration
from podwright.runtime.handlers import launcher, probing
from podwright.runtime.handlers.oci import OciHandler, Programs
from podwright.runtime.handlers.probing import Features

log = logging.getLogger(__name__)

PREFERENCE = ("crun", "runc")
# The devices that a runtime makes have the modes that the spec says only without a umask. crun takes none by itself
# since 1.14; with any, containers begin with 022. runc sees to its devices, and makes files that want a umask.
OWN_UMASK, NO_UMASK = 0o022, 0
PATIENCE_S = 2.0  # with programs that are asked what they can do; later answers are taken when they come
COPY_THEMSELVES = frozenset({"crun", "runc"})  # see `linux.sealed`
NO_PROGRAMS = Programs(runtime="crun", kind="", conmon="conmon", conmon_options=frozenset())


class Handlers:
    """All handlers of the daemon."""

    def __init__(
        self,
        programs: Mapping[str, Programs],
        default: str,
        make: Callable[[str, Programs], OciHandler],
        *,
        state: str,
        crun_launcher: tuple[str, ...] = (),
    ) -> None:
        """`default` is the name that an empty handler name means; below `state` the runtimes keep theirs.

        `crun_launcher` takes the place of the launcher of those that turn out to be crun.

        Until `ask`, nothing is known of the programs but where they are.
        """
        self._programs = dict(programs)
        self._handlers = {name: make(name, found) for name, found in programs.items()}
        self._make = make
        self._asking: set[asyncio.Task[None]] = set()
        self.default = default
        self.state = state
        self._crun_launcher = crun_launcher
        self.features = dict.fromkeys(programs, Features())

    async def ask(self, runner: ProcessRunner) -> None:
        """Find out what the programs can do. Raises FailedPrecondition for one that cannot be executed.

        One that takes its time holds nobody up: it is used as one that can do little, until it has answered.
        """
        self._asking = {asyncio.create_task(self._learn(name, runner), name=f"ask {name}") for name in self._programs}
        if not self._asking:
            return
        done, late = await asyncio.wait(self._asking, timeout=PATIENCE_S)
        for task in done:
            task.result()
        for task in late:
            task.add_done_callback(_tell_failure)
        if late:
            names = ", ".join(sorted(task.get_name().removeprefix("ask ") for task in late))
            log.warning("programs do not say what they can do, and are used without that: handlers=%s", names)

    async def _learn(self, name: str, runner: ProcessRunner) -> None:
        known = self._programs[name]
        told = await probing.ask(known.runtime, known.conmon, runner)
        sealed = None
        if told.kind in COPY_THEMSELVES and not selinux.is_enabled():  # whose policy goes by the label of the file
            copy = f"{os.path.dirname(self.state)}/programs/{name}/{os.path.basename(known.runtime)}"
            sealed = SealedProgram(known.runtime, copy)
        self._programs[name] = dataclasses.replace(
            known,
            kind=told.kind,
            conmon_options=told.conmon_options,
            sealed=sealed,
            launcher=self._crun_launcher if told.kind == "crun" else known.launcher,
        )
        self._handlers[name] = self._make(name, self._programs[name])
        self.features[name] = told.features

    async def close(self) -> None:
        """Ask no more."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def get(self, name: str) -> OciHandler:
        """The handler of that name, the default for "". Raises InvalidArgument and FailedPrecondition."""
        if not self._handlers:
            raise FailedPrecondition("there is no OCI runtime on this host", hint="install crun or runc")
        handler = self._handlers.get(name or self.default)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            raise InvalidArgument(f"runtime handler {name!r} is not configured", hint=f"known handlers: {known}")
        return handler

    def of_record(self, name: str) -> OciHandler:
        """For taking down what the handler of that name made, also when it is configured no more.

        Then the default's programs are tried on it. What no program can delete, its owner forgets.
        """
        return self._handlers.get(name) or self._make(name, self._programs.get(self.default, NO_PROGRAMS))

    def names(self) -> list[str]:
        """The configured names."""
        return sorted(self._handlers)


async def find_handlers(config: configuration.Config, runner: ProcessRunner) -> Handlers:
    """The handlers of `config`, or without any there: every known runtime that is installed.

    Raises FailedPrecondition for a configured runtime or monitor that is missing.
    """
    wanted = dict(config.handlers)
    if not wanted:
        wanted = {name: configuration.Handler() for name in PREFERENCE if _installed(name)}
    default = config.default_handler or next((name for name in PREFERENCE if name in wanted), next(iter(wanted), ""))
    if default and default not in wanted:
        raise FailedPrecondition(f"default_handler {default!r} is not among the handlers {sorted(wanted)}")
    launchers = _launchers(f"{config.root}/launchers")
    programs = {name: _programs(name, settings, launchers[OWN_UMASK]) for name, settings in wanted.items()}
    state = f"{config.state}/runtimes"
    os.makedirs(state, mode=0o700, exist_ok=True)
    make = functools.partial(
        OciHandler,
        state=state,
        runner=runner,
        timeout_s=config.containers.runtime_timeout_s,
        systemd_cgroup=config.containers.cgroup_driver == "systemd",
    )
    handlers = Handlers(programs, default, make, state=state, crun_launcher=launchers[NO_UMASK])
    await handlers.ask(runner)
    return handlers


def _tell_failure(asked: asyncio.Task[None]) -> None:
    if not asked.cancelled() and (failure := asked.exception()) is not None:
        log.warning("a handler's programs could not be asked: %s: %s", asked.get_name(), failure)


def _launchers(folder: str) -> dict[int, tuple[str, ...]]:
    """The launcher for each umask. Raises OSError."""
    machine = os.uname().machine
    masks = (OWN_UMASK, NO_UMASK)
    return {mask: launcher.install(f"{folder}/{mask:03o}", umask=mask, machine=machine) for mask in masks}


def _programs(name: str, settings: configuration.Handler, prefix: tuple[str, ...]) -> Programs:
    """The handler's programs, of which nothing is known yet. Raises FailedPrecondition when one is missing."""
    runtime, conmon = _program(settings.path or name), _program(settings.conmon)
    return Programs(runtime=runtime, kind="", conmon=conmon, conmon_options=frozenset(), launcher=prefix)


def _program(name: str) -> str:
    """The absolute path of a program that can be run. Raises FailedPrecondition."""
    path = find_executable(name)
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        raise FailedPrecondition(f"{path} is not a program", hint="install it, or mend [handlers] in the config")
    return path


def _installed(name: str) -> bool:
    try:
        find_executable(name)
    except FailedPrecondition:
        return False
    return True
