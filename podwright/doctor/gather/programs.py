"""Installed programs: their paths and versions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from podwright.doctor.facts import OciFeatures, OciRuntimeFacts, ProgramFacts
from podwright.doctor.gather.kernel import numbers
from podwright.errors import PodwrightError
from podwright.process import Command, ProcessRunner, find_executable

ANSWER_TIMEOUT_S = 10.0


def locate(name: str) -> str | None:
    """The path of a program, or None if it is not installed."""
    try:
        path = find_executable(name)
    except PodwrightError:
        return None
    return path


async def look_at(runner: ProcessRunner, name: str) -> ProgramFacts | None:
    """The program and its version, or None if it is not installed."""
    path = locate(name)
    if path is None:
        return None
    try:
        completed = await runner.run(Command(argv=(path, "--version"), timeout_s=ANSWER_TIMEOUT_S))
    except PodwrightError as failure:
        return ProgramFacts(path=path, error=failure.message)
    if completed.returncode != 0:
        return ProgramFacts(path=path, error=completed.error_text() or f"exit code {completed.returncode}")
    lines = completed.stdout.decode(errors="replace").splitlines()
    version = version_of(lines[0] if lines else "")
    return ProgramFacts(path=path, version=version, numbers=numbers(version))


def version_of(line: str) -> str:
    """The version in the first line of `--version`: the first word that starts with a digit."""
    words = (word.removeprefix("v") for word in line.replace(",", " ").split())
    return next((word for word in words if word[:1].isdigit()), line.strip())


async def find_runtimes(runner: ProcessRunner, wanted: tuple[tuple[str, str], ...]) -> tuple[OciRuntimeFacts, ...]:
    """The installed ones of the wanted (name, binary) pairs."""
    found = await asyncio.gather(*(_find_runtime(runner, name, binary) for name, binary in wanted))
    return tuple(runtime for runtime in found if runtime is not None)


async def _find_runtime(runner: ProcessRunner, name: str, binary: str) -> OciRuntimeFacts | None:
    program = await look_at(runner, binary)
    if program is None:
        # A path is an explicit configuration. A bare name is only a candidate.
        broken = ProgramFacts(path=binary, error="does not exist")
        return OciRuntimeFacts(name=name, program=broken) if "/" in binary else None
    return OciRuntimeFacts(name=name, program=program, features=await _features(runner, program))


async def _features(runner: ProcessRunner, program: ProgramFacts) -> OciFeatures | None:
    """The output of `RUNTIME features`, or None if that command does not exist."""
    if program.error:
        return None
    try:
        completed = await runner.run(Command(argv=(program.path, "features"), timeout_s=ANSWER_TIMEOUT_S))
        document = json.loads(completed.stdout) if completed.returncode == 0 else None
    except (PodwrightError, ValueError):
        return None
    return parse_features(document) if isinstance(document, dict) else None


def parse_features(document: dict[str, Any]) -> OciFeatures:
    """The OCI runtime-spec's features document (features.md). Absent parts count as unsupported."""
    linux = _section(document, "linux")
    return OciFeatures(
        oci_version_max=str(document.get("ociVersionMax", "")),
        seccomp=_enabled(linux, "seccomp"),
        apparmor=_enabled(linux, "apparmor"),
        selinux=_enabled(linux, "selinux"),
        idmapped_mounts=_enabled(_section(linux, "mountExtensions"), "idmap"),
        recursive_read_only="rro" in (document.get("mountOptions") or ()),
    )


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _enabled(document: dict[str, Any], name: str) -> bool:
    return _section(document, name).get("enabled") is True
