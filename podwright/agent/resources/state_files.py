"""The files in which managers keep what they have allotted, as the kubelet has them (its checkpointmanager).

Each is JSON with a checksum: 32-bit FNV-1a of the text that Go's `spew` library makes of the structure. Each manager
writes that text, since it names Go's types. A kubelet on the same root reads what we write, and the other way round.
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
    """A map as spew writes it."""
    return f"map[{' '.join(f'{key}:{text_of(items[key])}' for key in sorted(items))}]"


def read_state(path: str) -> bytes | None:
    """The file's content, None when there is none. Raises FailedPrecondition."""
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

    A file with this content is left alone: a full disk must not keep an agent from starting.
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
