"""OCI hooks of a folder, as CRI-O and podman have them: a JSON file says which hook, and when (oci-hooks(5), 1.0.0).

A file of a later folder replaces that of the same name in an earlier one. Hooks are added in the order of the names.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, reason
from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox

log = logging.getLogger(__name__)

VERSION = "1.0.0"
STAGES = frozenset({"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"})
FILE_LIMIT_BYTES = 1 << 20


class _Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int = 0


class _When(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """All that is given must match. Regular expressions match anywhere."""

    always: bool | None = None
    annotations: dict[str, str] = {}
    commands: tuple[str, ...] = ()
    has_bind_mounts: bool | None = None


class FolderHook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    version: str
    hook: _Program
    when: _When
    stages: tuple[str, ...]


class HooksFolderEdit:
    """Adds the hooks of the configured folders that match a container. The files are read each time."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        self._folders = folders

    async def __call__(self, spec: dict[str, Any], _sandbox: Sandbox, container: Container, /) -> None:
        """Raises FailedPrecondition for a file that is no hook."""
        hooks = await asyncio.to_thread(read, self._folders)
        has_bind_mounts = bool(container.config.mounts)
        for hook in hooks:
            if matches(hook.when, container.config.annotations, spec["process"]["args"][0], has_binds=has_bind_mounts):
                add(spec, hook)


def read(folders: Iterable[str]) -> list[FolderHook]:
    """All hooks, in order. Raises FailedPrecondition for a file that cannot be used."""
    paths: dict[str, str] = {}
    for folder in folders:
        try:
            paths |= {name: f"{folder}/{name}" for name in os.listdir(folder) if name.endswith(".json")}
        except (FileNotFoundError, NotADirectoryError):
            continue
    hooks = []
    for _, path in sorted(paths.items()):
        try:
            with open(path, "rb") as file:
                hooks.append(parse(file.read(FILE_LIMIT_BYTES)))
        except (OSError, ValueError, msgspec.DecodeError) as failure:
            raise FailedPrecondition(
                f"OCI hook {path}: {reason(failure, path=path)}", hint="correct the file, or remove it"
            ) from failure
    return hooks


def parse(document: bytes) -> FolderHook:
    """A hook from its file. Raises ValueError and msgspec.DecodeError."""
    hook = msgspec.json.decode(document, type=FolderHook)
    if hook.version != VERSION:
        raise ValueError(f"version {hook.version[:20]!r} is not {VERSION}")
    if not hook.hook.path.startswith("/"):
        raise ValueError(f"path {hook.hook.path[:80]!r} is not absolute")
    if unknown := sorted(set(hook.stages) - STAGES):
        raise ValueError(f"stages {', '.join(unknown)} are not known")
    for pattern in (*hook.when.commands, *hook.when.annotations, *hook.when.annotations.values()):
        try:
            re.compile(pattern)
        except re.error as wrong:
            raise ValueError(f"{pattern[:80]!r} is not a regular expression: {wrong}") from wrong
    return hook


def matches(when: _When, annotations: dict[str, str], command: str, *, has_binds: bool) -> bool:
    """Whether everything that the file asks for is so. A file that asks for nothing matches nothing."""
    asked = []
    if when.always is not None:
        asked.append(when.always)
    if when.has_bind_mounts is not None:
        asked.append(when.has_bind_mounts == has_binds)
    if when.commands:
        asked.append(any(re.search(pattern, command) for pattern in when.commands))
    for key, value in when.annotations.items():
        asked.append(any(re.search(key, one) and re.search(value, text) for one, text in annotations.items()))
    return bool(asked) and all(asked)


def add(spec: dict[str, Any], hook: FolderHook) -> None:
    """Add it to its stages."""
    program: dict[str, Any] = {"path": hook.hook.path}
    if hook.hook.args:
        program["args"] = list(hook.hook.args)
    if hook.hook.env:
        program["env"] = list(hook.hook.env)
    if hook.hook.timeout:
        program["timeout"] = hook.hook.timeout
    for stage in hook.stages:
        spec.setdefault("hooks", {}).setdefault(stage, []).append(program)
