"""Reads and writes the files in which managers keep their allotments, as the kubelet's checkpointmanager does.

Each is JSON with a checksum: 32-bit FNV-1a of the text that Go's library `spew` makes of the structure. That text
names Go's types, so each manager makes it. A kubelet on the same root reads our files, and we read a kubelet's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TypeVar

from podwright.agent.pods.hashes import fnv32a
from podwright.errors import FailedPrecondition, Internal
from podwright.linux.files import replace_file

LIMIT_BYTES = 16 << 20
MODE = 0o600

Key = TypeVar("Key", str, int)
Item = TypeVar("Item")


def checksum(go_text: str) -> int:
    """The checksum of a structure, from its text."""
    return fnv32a(go_text.encode())


def go_map(items: Mapping[Key, Item], text_of: Callable[[Item], str]) -> str:
    """A map in the format of spew."""
    return f"map[{' '.join(f'{key}:{text_of(items[key])}' for key in sorted(items))}]"


def read_state(path: str) -> bytes | None:
    """The file's content, or None if it does not exist. Raises FailedPrecondition."""
    try:
        with open(path, "rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise FailedPrecondition(f"{path} cannot be read: {failure.strerror}") from failure
    if len(content) > LIMIT_BYTES:
        raise FailedPrecondition(f"{path} is larger than {LIMIT_BYTES >> 20} MiB")
    return content


def write_state(path: str, content: bytes) -> None:
    """Replace the file, so that a killed agent leaves the old one or the new one. Raises OSError.

    A file that has this content already is not written, so that an agent can start with a full disk.
    """
    with contextlib.suppress(FailedPrecondition):
        if read_state(path) == content:
            return
    replace_file(path, content, mode=MODE, sync=True)


def keep_state(path: str, content: bytes) -> None:
    """As `write_state`, for state that must be on disk before it is used. Raises Internal."""
    try:
        write_state(path, content)
    except OSError as failure:
        raise Internal(f"{path} cannot be written: {failure.strerror}", hint="make room on the disk") from failure
