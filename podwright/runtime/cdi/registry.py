"""Finds devices in the CDI files of some directories, which are read again when they change.

Files are read only when a container requests devices. All calls block, so they belong in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from podwright.errors import FailedPrecondition
from podwright.runtime.cdi import nodes
from podwright.runtime.cdi.apply import Injection, apply
from podwright.runtime.cdi.document import CdiDocument, parse

SUFFIXES = (".json", ".yaml")
FILE_LIMIT_BYTES = 4 << 20


class _File(NamedTuple):
    """A file as last read: its `document`, or its problem."""

    path: str
    stamp: tuple[int, ...]
    document: CdiDocument | None
    problem: str


class Cdi:
    """The devices of the files in `directories`. A later directory overrides an earlier one."""

    def __init__(self, directories: Sequence[str]) -> None:
        self._directories = tuple(directories)
        self._files: dict[str, _File] = {}

    def inject(self, spec: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """The spec with the devices of these names. Raises FailedPrecondition that names the device."""
        if not names:
            return spec
        return apply(spec, [Injection(one.source, nodes.complete(*one)) for one in self.find(names)])

    def find(self, names: Sequence[str]) -> list[Injection]:
        """The edits for these devices. A file's own edits come once, before those of its first device.

        Raises FailedPrecondition for a device that no file has, or that two files of one directory have.
        """
        levels = self._read()
        seen: set[str] = set()
        found = []
        for name in names:
            file, injection = self._find(name, levels)
            if file.path not in seen and file.document is not None:
                seen.add(file.path)
                found.append(Injection(f"{name} ({file.path})", file.document.container_edits))
            found.append(injection)
        return found

    def _find(self, name: str, levels: list[list[_File]]) -> tuple[_File, Injection]:
        for files in reversed(levels):
            offers = [(file, edits) for file in files for edits in _offers(file, name)]
            if len(offers) > 1:
                paths = " and ".join(file.path for file, _ in offers)
                raise FailedPrecondition(f"CDI device {name} is in {paths}", hint="remove one of the files")
            if offers:
                return offers[0]
        broken = [f"{file.path}: {file.problem}" for files in levels for file in files if file.problem]
        raise FailedPrecondition(
            f"CDI device {name} is in no file of {', '.join(self._directories) or 'no directory'}"
            + "".join(f"; {one}" for one in broken)
        )

    def _read(self) -> list[list[_File]]:
        """The files of each directory. Unchanged ones are not read again."""
        levels = [list(self._files_in(directory)) for directory in self._directories]
        self._files = {file.path: file for files in levels for file in files}
        return levels

    def _files_in(self, directory: str) -> Iterator[_File]:
        try:
            names = sorted(name for name in os.listdir(directory) if name.endswith(SUFFIXES))
        except OSError:
            return
        for name in names:
            path = f"{directory}/{name}"
            try:
                status = os.stat(path)
            except OSError:
                continue  # deleted in the meantime
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._files.get(path)
            yield known if known is not None and known.stamp == stamp else _load(path, stamp)


def _load(path: str, stamp: tuple[int, ...]) -> _File:
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_LIMIT_BYTES + 1)
        if len(data) > FILE_LIMIT_BYTES:
            raise FailedPrecondition(f"it is larger than {FILE_LIMIT_BYTES} bytes")
        return _File(path, stamp, parse(data, yaml=path.endswith(".yaml")), "")
    except OSError as failure:
        return _File(path, stamp, None, failure.strerror or str(failure))
    except FailedPrecondition as failure:
        return _File(path, stamp, None, failure.message)


def _offers(file: _File, name: str) -> Iterator[Injection]:
    kind, _, device = name.partition("=")
    if file.document is not None and file.document.kind == kind:
        for one in file.document.devices:
            if one.name == device:
                yield Injection(name, one.container_edits)
