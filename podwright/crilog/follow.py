"""Reading a log as it grows: new bytes, rotation, truncation, until somebody says that the writer has ended.

inotify wakes the readers. Where it cannot (no instance left, no directory yet), they look again and again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable

from podwright.crilog.lines import Line, LineParser
from podwright.linux.inotify import IN_CREATE, IN_MODIFY, IN_MOVED_TO, Inotify

POLL_S = 0.1
# Not every file system tells of each change, and a pod's log is not to hang for that.
LOOK_AGAIN_S = 10.0
CHUNK_BYTES = 256 * 1024

NAME_CHANGES = IN_CREATE | IN_MOVED_TO

Emit = Callable[[Line], None]
Between = Callable[[], Awaitable[None]]


async def let_others_run() -> None:
    """What a follower does between two reads, unless it is given something else."""
    await asyncio.sleep(0)


class LogWatch:
    """Wakes any number of followers of one event loop. Close it after the last of them has ended."""

    def __init__(self) -> None:
        try:
            self._inotify: Inotify | None = Inotify()
        except OSError:
            self._inotify = None

    def add(self, path: str, mask: int, changed: asyncio.Event) -> int | None:
        """Set `changed` when the inode at `path` changes; None when that cannot be known."""
        if self._inotify is None:
            return None
        try:
            return self._inotify.add(path, mask, changed.set)
        except OSError:
            return None

    def remove(self, watch: int | None, changed: asyncio.Event) -> None:
        """Undo `add`; None is passed over."""
        if self._inotify is not None and watch is not None:
            self._inotify.remove(watch, changed.set)

    def close(self) -> None:
        """Give the kernel's resources back."""
        if self._inotify is not None:
            self._inotify.close()


class LogFollower:
    """Reads one log to its end, and goes on as it grows until `finish` was called.

    A file that is not there yet is waited for; one that was rotated away is read to its end, and then its successor.
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
        """Nobody writes any more: end once all that is there has been read."""
        self._finishing = True
        self._changed.set()

    async def run(self) -> None:
        """Emit the lines, each once it is whole. Raises OSError when the file cannot be read."""
        try:
            while True:
                last = self._finishing
                # Watched first and looked at then, so that no change falls between the two.
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
        # Who rotates moves the file, then has the writer open another: it wrote here until a moment ago.
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
        """Another file has the name now."""
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
