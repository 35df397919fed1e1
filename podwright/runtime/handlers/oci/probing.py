"""What the programs of a handler can do. The handler asks them when the daemon starts.

There is an answer in bounded time: a program that hangs, fails or prints nonsense counts as one that can do no more
than all of its kind.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import msgspec

from podwright.errors import DeadlineExceeded, PodwrightError
from podwright.process import Command, ProcessRunner

log = logging.getLogger(__name__)

QUERY_TIMEOUT_S = 60.0  # nobody waits for it: see the registry


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """What an OCI runtime can do, as far as it depends on it.

    Mapped owners and recursive read-only mounts do not: see `container.filesystem.staging`.
    """

    user_namespaces: bool = False  # join one that is there


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is what the runtime calls itself, `conmon_options` the long options that this conmon has."""

    kind: str
    features: Features
    conmon_options: frozenset[str]


async def ask(runtime: str, conmon: str, runner: ProcessRunner) -> Answers:
    """Ask the two programs, which are absolute paths. Raises FailedPrecondition when conmon cannot be executed."""
    (kind, features), options = await asyncio.gather(_about_runtime(runtime, runner), _conmon_options(conmon, runner))
    return Answers(kind=kind, features=features, conmon_options=options)


async def _about_runtime(runtime: str, runner: ProcessRunner) -> tuple[str, Features]:
    """crun is not asked for features: it has had these from the start, but the command only since 1.8.6."""
    kind = await _kind(runtime, runner)
    return kind, Features(user_namespaces=True) if kind == "crun" else await _features(runtime, runner)


async def _conmon_options(conmon: str, runner: ProcessRunner) -> frozenset[str]:
    """Older ones lack some."""
    try:
        help_text = await runner.run(Command(argv=(conmon, "--help"), timeout_s=QUERY_TIMEOUT_S))
    except DeadlineExceeded as failure:
        log.warning("monitor does not list its options: error=%s", failure)
        return frozenset()
    words = help_text.stdout.decode(errors="replace").replace(",", " ").split()
    return frozenset(word for word in words if word.startswith("--"))


async def _kind(runtime: str, runner: ProcessRunner) -> str:
    """The program's own name ("crun"), whatever its file is called, or ""."""
    try:
        answer = await runner.run(Command(argv=(runtime, "--version"), timeout_s=QUERY_TIMEOUT_S))
    except PodwrightError:
        return ""
    name, _, _ = answer.stdout.partition(b" version ")
    return name.decode(errors="replace")


async def _features(runtime: str, runner: ProcessRunner) -> Features:
    """What the runtime's `features` command lists. Runtimes without the command have no extra features."""
    try:
        answer = await runner.run(Command(argv=(runtime, "features"), timeout_s=QUERY_TIMEOUT_S))
        return parse_features(json.loads(answer.stdout)) if answer.returncode == 0 else Features()
    except (PodwrightError, ValueError) as failure:
        log.warning("runtime does not list its features: runtime=%s error=%s", runtime, failure)
        return Features()


def parse_features(document: dict[str, Any]) -> Features:
    """The features, from the runtime's own document (OCI runtime-spec, features.md)."""
    linux = document.get("linux") or {}
    return Features(user_namespaces="user" in (linux.get("namespaces") or ()))
