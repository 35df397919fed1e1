"""Follows a growing log: new data, rotation, truncation, until the caller reports the writer's end.

inotify wakes the readers. Without it (instances exhausted, no directory yet), they poll.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable

from podwright.crilog.lines import Line, LineParser
from podwright.linux.inotify import IN_CREATE, IN_MODIFY, IN_MOVED_TO, Inotify

POLL_S = 0.1
# Some file systems do not report every change, and a log must not hang because of that.
LOOK_AGAIN_S = 10.0
CHUNK_BYTES = 256 * 1024

NAME_CHANGES = IN_CREATE | IN_MOVED_TO

Emit = Callable[[Line], None]
Between = Callable[[], Awaitable[None]]


async def let_others_run() -> None:
    """What a follower does between two reads, unless it is given something else."""
    await asyncio.sleep(0)


class LogWatch:
    """Wakes any number of followers on one event loop. Close it after the last follower has ended."""

    def __init__(self) -> None:
        try:
            self._inotify: Inotify | None = Inotify()
        except OSError:
            self._inotify = None

    def add(self, path: str, mask: int, changed: asyncio.Event) -> int | None:
        """Set `changed` when the inode at `path` changes. Returns None if that cannot be watched."""
        if self._inotify is None:
            return None
        try:
            return self._inotify.add(path, mask, changed.set)
        except OSError:
            return None

    def remove(self, watch: int | None, changed: asyncio.Event) -> None:
        """Undo `add`. None is ignored."""
        if self._inotify is not None and watch is not None:
            self._inotify.remove(watch, changed.set)

    def close(self) -> None:
        """Release the kernel's resources."""
        if self._inotify is not None:
            self._inotify.close()


class LogFollower:
    """Reads one log to its end, and continues while it grows until `finish` is called.

    A missing file is waited for. A rotated file is read to its end, then its successor.
    """

    def __init__(
        self, path: str, parser: LineParser, emit: Emit, watch: LogWatch, *, between: Between = let_others_run
    ) -> None:
        """The parser's `position` says where in the file to begin.

        `between` is awaited after each read (CHUNK_BYTES at most): it may wait for whoever takes the lines.
        """
        self._between = between
        self._path = path
        self._parser = parser
        self._emit = emit
        self._watch = watch
        self._changed = asyncio.Event()
        self._finishing = False
        self._begin = parser.position
        self._descriptor = -1
        self._name_watch: int | None = None
        self._content_watch: int | None = None

    def finish(self) -> None:
        """The writer has ended: stop once all data was read."""
        self._finishing = True
        self._changed.set()

    async def run(self) -> None:
        """Emit each line when it is complete. Raises OSError if the file cannot be read."""
        try:
            while True:
                last = self._finishing
                # Watch first and read afterwards, so that no change is missed in between.
                self._changed.clear()
                self._watch_name()
                self._open_file()
                await self._read_to_end()
                if self._was_rotated():
                    await self._leave_file()
                elif last:
                    break
                else:
                    await self._pause()
            self._emit_all(self._parser.flush())
        finally:
            self._close_file()
            self._watch.remove(self._name_watch, self._changed)

    async def _leave_file(self) -> None:
        # A rotation moves the file before the writer opens another, so the last data is still written here.
        await self._read_to_end()
        self._emit_all(self._parser.end_file())
        self._close_file()

    async def _read_to_end(self) -> None:
        while self._descriptor >= 0:
            if chunk := os.read(self._descriptor, CHUNK_BYTES):
                self._emit_all(self._parser.feed(chunk))
                await self._between()
            elif self._was_truncated():
                self._emit_all(self._parser.end_file())
                os.lseek(self._descriptor, 0, os.SEEK_SET)
            else:
                return

    def _emit_all(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._emit(line)

    async def _pause(self) -> None:
        watched = self._name_watch is not None and (self._descriptor < 0 or self._content_watch is not None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_S if watched else POLL_S):
                await self._changed.wait()

    def _watch_name(self) -> None:
        if self._name_watch is None:
            directory = os.path.dirname(os.path.realpath(self._path))
            self._name_watch = self._watch.add(directory, NAME_CHANGES, self._changed)

    def _open_file(self) -> None:
        if self._descriptor >= 0:
            return
        with contextlib.suppress(FileNotFoundError):
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            os.lseek(self._descriptor, self._begin, os.SEEK_SET)
            self._begin = 0
            self._content_watch = self._watch.add(f"/proc/self/fd/{self._descriptor}", IN_MODIFY, self._changed)

    def _close_file(self) -> None:
        if self._descriptor >= 0:
            self._watch.remove(self._content_watch, self._changed)
            os.close(self._descriptor)
        self._descriptor, self._content_watch = -1, None

    def _was_rotated(self) -> bool:
        """Whether another file has the name now."""
        if self._descriptor < 0:
            return False
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            return False
        ours = os.fstat(self._descriptor)
        return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)

    def _was_truncated(self) -> bool:
        return os.fstat(self._descriptor).st_size < os.lseek(self._descriptor, 0, os.SEEK_CUR)
