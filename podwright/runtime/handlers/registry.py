"""The configured handlers, by CRI's handler name: found, asked for their features, and looked up."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError
from podwright.linux import selinux
from podwright.linux.sealed import SealedProgram
from podwright.process import Command, ProcessRunner, find_executable
from podwright.runtime import config as configuration
from podwright.runtime.handlers.oci import OciHandler, Programs

log = logging.getLogger(__name__)

PREFERENCE = ("crun", "runc")
QUERY_TIMEOUT_S = 10.0
COPY_THEMSELVES = frozenset({"crun", "runc"})  # see `linux.sealed`
NO_PROGRAMS = Programs(runtime="crun", kind="", conmon="conmon", conmon_options=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What an OCI runtime can do, as far as it depends on it.

    Mapped owners and recursive read-only mounts do not: see `container.staging`.
    """

    user_namespaces: bool = False  # join one that is there


class Handlers:
    """All handlers of the daemon."""

    def __init__(
        self,
        programs: dict[str, Programs],
        default: str,
        features: dict[str, Features],
        make: Callable[[str, Programs], OciHandler],
        *,
        state: str,
    ) -> None:
        """`default` is the name that an empty handler name means; below `state` the runtimes keep theirs."""
        self._handlers = {name: make(name, found) for name, found in programs.items()}
        self._substitute = programs.get(default, NO_PROGRAMS)
        self._make = make
        self.default = default
        self.state = state
        self.features = features

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
        return self._handlers.get(name) or self._make(name, self._substitute)

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
    programs = await asyncio.gather(
        *(_programs(name, settings, config.state, runner) for name, settings in wanted.items())
    )
    features = await asyncio.gather(*(_features(found, runner) for found in programs))
    state = f"{config.state}/runtimes"
    os.makedirs(state, mode=0o700, exist_ok=True)
    make = functools.partial(
        OciHandler,
        state=state,
        runner=runner,
        timeout_s=config.containers.runtime_timeout_s,
        systemd_cgroup=config.containers.cgroup_driver == "systemd",
    )
    by_name = dict(zip(wanted, programs, strict=True))
    return Handlers(by_name, default, dict(zip(wanted, features, strict=True)), make, state=state)


async def _programs(name: str, settings: configuration.Handler, state: str, runner: ProcessRunner) -> Programs:
    """The handler's programs. Raises FailedPrecondition when one is missing."""
    runtime, conmon = _program(settings.path or name), _program(settings.conmon)
    kind, options = await asyncio.gather(_kind(runtime, runner), _conmon_options(conmon, runner))
    sealed = None
    if kind in COPY_THEMSELVES and not selinux.is_enabled():  # whose policy goes by the label of the program's file
        sealed = SealedProgram(runtime, f"{state}/programs/{name}/{os.path.basename(runtime)}")
    return Programs(runtime=runtime, kind=kind, conmon=conmon, conmon_options=options, sealed=sealed)


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


async def _conmon_options(conmon: str, runner: ProcessRunner) -> frozenset[str]:
    """The long options that this conmon has; older ones lack some."""
    help_text = await runner.run(Command(argv=(conmon, "--help"), timeout_s=QUERY_TIMEOUT_S))
    words = help_text.stdout.decode(errors="replace").replace(",", " ").split()
    return frozenset(word for word in words if word.startswith("--"))


async def _kind(runtime: str, runner: ProcessRunner) -> str:
    """What the program calls itself ("crun"), whatever its file is called; empty when it does not tell."""
    try:
        answer = await runner.run(Command(argv=(runtime, "--version"), timeout_s=QUERY_TIMEOUT_S))
    except PodwrightError:
        return ""
    name, _, _ = answer.stdout.partition(b" version ")
    return name.decode(errors="replace")


async def _features(programs: Programs, runner: ProcessRunner) -> Features:
    """What the runtime's `features` command tells; runtimes without the command have none of the extras.

    crun is not asked: it has had user namespaces from the start, but the command only since 1.8.6.
    """
    if programs.is_crun:
        return Features(user_namespaces=True)
    try:
        answer = await runner.run(Command(argv=(programs.runtime, "features"), timeout_s=QUERY_TIMEOUT_S))
        return parse_features(json.loads(answer.stdout)) if answer.returncode == 0 else Features()
    except (PodwrightError, ValueError) as failure:
        log.warning("runtime does not tell its features: runtime=%s error=%s", programs.runtime, failure)
        return Features()


def parse_features(document: dict[str, Any]) -> Features:
    """The features, from the runtime's own document (OCI runtime-spec, features.md)."""
    linux = document.get("linux") or {}
    return Features(user_namespaces="user" in (linux.get("namespaces") or ()))
