"""Copies one log, step by step, from wherever an earlier daemon was killed.

What CRI's file gets is a function of the Engine's file alone (`records.converted`). A step appends, then notes the
position. A daemon that is killed in between, or a disk that becomes full within a record, leaves a file that is longer
than noted: the next step makes the same bytes again, and leaves out as many as are there already. So nothing is lost,
nothing is doubled, and nothing has to be synced.

The file may have been renamed meanwhile, as log rotation does: it is found again by its inode. The Engine's file never
rotates, and the disk space of what was copied is given back by a hole.
"""

from __future__ import annotations

import contextlib
import os

from podwright.linux import libc
from podwright.runtime.engines.docker.logs.position import Position, PositionFile
from podwright.runtime.engines.docker.logs.records import converted, whole_lines
from podwright.runtime.handlers.processes import log_files

STEP_BYTES = 128 * 1024
LINE_LIMIT_BYTES = 1024 * 1024  # the Engine cuts lines at 16 KiB, of which escapes make six times as much
HOLE_BYTES = 4 * 1024 * 1024


class LogCopy:
    """One container's log. All calls block for a step at most."""

    def __init__(self, source: str, target: str, position: str) -> None:
        """Open the files. `source` is the Engine's, `target` CRI's. Raises OSError and FailedPrecondition."""
        with contextlib.ExitStack() as stack:
            self._target_path = target
            self._source = os.open(source, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            stack.callback(os.close, self._source)
            self._positions = PositionFile(position)
            stack.callback(self._positions.close)
            self._target = _opened(target)
            stack.callback(os.close, self._target)
            self._at = self._resumed()
            self._positions.write(self._at)
            self._hole = 0
            stack.pop_all()

    def _resumed(self) -> Position:
        """The position that an earlier daemon has noted, or the first one. Its file may have been rotated since."""
        status = os.fstat(self._target)
        known = self._positions.read()
        if known is None:
            return Position(source=0, inode=status.st_ino, size=status.st_size)
        if known.inode == status.st_ino:
            return known
        rotated = _size_of_inode(os.path.dirname(self._target_path), known.inode)
        written = max(0, rotated - known.size) if rotated is not None else 0
        return Position(
            source=known.source, inode=status.st_ino, size=status.st_size, elsewhere=known.elsewhere + written
        )

    def step(self) -> bool:
        """Copy some records. Returns False at the end of what is there. Raises OSError if the disk is full."""
        data = os.pread(self._source, STEP_BYTES, self._at.source)
        whole = whole_lines(data)
        if not whole and len(data) == STEP_BYTES:
            data = os.pread(self._source, LINE_LIMIT_BYTES, self._at.source)
            whole = whole_lines(data) or len(data)
        if not whole:
            return False
        self._append(b"".join(converted(line) for line in data[:whole].split(b"\n") if line), whole)
        return True

    def _append(self, text: bytes, consumed: int) -> None:
        size = os.fstat(self._target).st_size
        noted = min(self._at.size, size)  # less than noted: somebody else has cut it
        ahead = size - noted
        elsewhere = min(self._at.elsewhere, len(text))
        _write_all(self._target, text[elsewhere + ahead :])
        self._at = Position(
            source=self._at.source + consumed,
            inode=self._at.inode,
            size=noted + len(text) - elsewhere,
            elsewhere=self._at.elsewhere - elsewhere,
        )
        self._positions.write(self._at)
        if self._at.source - self._hole >= HOLE_BYTES:
            with contextlib.suppress(OSError):  # the filesystem has no holes
                libc.punch_hole(self._source, self._hole, self._at.source - self._hole)
            self._hole = self._at.source

    def reopen(self) -> None:
        """Continue in a new file at the path. Raises OSError and FailedPrecondition.

        What is not copied yet goes there too: a container that writes faster than we copy must not hold up a rotation.
        """
        while os.fstat(self._target).st_size > self._at.size and self.step():
            pass  # what a killed daemon wrote beyond its note is in the old file, perhaps half a record
        opened = _opened(self._target_path)
        os.close(self._target)
        self._target = opened
        status = os.fstat(opened)
        self._at = Position(
            source=self._at.source,
            inode=status.st_ino,
            size=status.st_size,
            elsewhere=self._at.elsewhere,
        )
        self._positions.write(self._at)

    def close(self) -> None:
        """Close the files."""
        os.close(self._source)
        os.close(self._target)
        self._positions.close()


def _opened(path: str) -> int:
    log_files.make(path)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _size_of_inode(folder: str, inode: int) -> int | None:
    """The size of the file with that inode, or None if it is gone."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.inode() == inode:
                return entry.stat(follow_symlinks=False).st_size
    return None
