"""How far a log is copied, in a file of one short line, which is overwritten in place.

A write of less than a page is never seen by halves after `kill -9`. After a power cut the containers are gone too.
"""

from __future__ import annotations

import os

import msgspec

LENGTH = 84


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """`source` bytes of the Engine's file are in CRI's file with that inode, which then had `size` bytes.

    `elsewhere` bytes that come next are in a file that has been rotated away.
    """

    source: int
    inode: int
    size: int
    elsewhere: int = 0


def parse(data: bytes) -> Position | None:
    """The position in a file's content, or None."""
    fields = data.split()
    if len(data) != LENGTH or len(fields) != 4 or not all(field.isdigit() for field in fields):
        return None
    source, inode, size, elsewhere = map(int, fields)
    return Position(source=source, inode=inode, size=size, elsewhere=elsewhere)


def packed(position: Position) -> bytes:
    """The content of the file."""
    numbers = (position.source, position.inode, position.size, position.elsewhere)
    return (" ".join(f"{number:020d}" for number in numbers) + "\n").encode()


class PositionFile:
    """The file of one container."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def read(self) -> Position | None:
        """The position, or None for a new file. Raises OSError."""
        return parse(os.pread(self._fd, LENGTH + 1, 0))

    def write(self, position: Position) -> None:
        """Raises OSError."""
        os.pwrite(self._fd, packed(position), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
