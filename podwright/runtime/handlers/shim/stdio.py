"""The fifos between a shim and the readers and writers of a process's stdio.

A shim opens each by its path when it starts the process: both ends, so that nothing breaks while nobody else has it
open. We open readers before the start, because a shim may wait for one, and writers after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import Awaitable, Callable

import msgspec

from podwright.errors import PodwrightError
from podwright.process import FdWriter

READER_S, POLL_S = 5.0, 0.002
STDIN, STDOUT, STDERR = "stdin", "stdout", "stderr"


class Fifos(msgspec.Struct, frozen=True, kw_only=True):
    """The paths of a process's fifos, empty where it has none."""

    directory: str
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""

    @property
    def outputs(self) -> dict[str, str]:
        """Those that the process writes to, by their names."""
        return {name: path for name, path in ((STDOUT, self.stdout), (STDERR, self.stderr)) if path}

    def make(self) -> None:
        """Make them, unless they are there. Raises OSError."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        for path in (self.stdin, self.stdout, self.stderr):
            if path:
                with contextlib.suppress(FileExistsError):
                    os.mkfifo(path, 0o600)

    def hold(self) -> list[int]:
        """Descriptors that are readers of the outputs, and never read. Absent fifos are left out. Raises OSError.

        runc's shim waits 30 s for readers when it has started a process, and answers nobody meanwhile. So there are
        some until its start is over, also when nobody wants the process any more.
        """
        held = []
        for name in (STDOUT, STDERR):
            with contextlib.suppress(FileNotFoundError):
                held.append(open_reader(f"{self.directory}/{name}"))
        return held

    def remove(self) -> None:
        """Delete them if they exist."""
        shutil.rmtree(self.directory, ignore_errors=True)


def fifos(directory: str, *, stdin: bool, terminal: bool) -> Fifos:
    """Where the fifos of a process are. With a terminal, there is one output."""
    return Fifos(
        directory=directory,
        stdin=f"{directory}/{STDIN}" if stdin else "",
        stdout=f"{directory}/{STDOUT}",
        stderr="" if terminal else f"{directory}/{STDERR}",
    )


def open_reader(path: str) -> int:
    """Our end of an output. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


class Input:
    """Our end of a standard input, opened when there is something to write."""

    def __init__(self, path: str, ended: Callable[[], bool]) -> None:
        """`ended` says whether the process has ended."""
        self._path = path
        self._ended = ended
        self._writer: FdWriter | None = None
        self._closed = False

    async def write(self, data: bytes) -> None:
        """Return when the kernel has it all. Raises BrokenPipeError when nobody will read it."""
        if self._writer is None:
            self._writer = await self._open()
        await self._writer.write(data)

    async def _open(self) -> FdWriter:
        """Open it, and wait for the shim, which may open its end only after its answer. Raises BrokenPipeError."""
        deadline = asyncio.get_running_loop().time() + READER_S
        while not self._closed and not self._ended():
            try:
                return FdWriter(os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            except OSError as failure:
                if failure.errno != errno.ENXIO or asyncio.get_running_loop().time() > deadline:
                    break
            await asyncio.sleep(POLL_S)
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    async def end(self, close_stdin: Callable[[], Awaitable[None]]) -> None:
        """End the input: both sides close it, but not before the shim reads, because it could miss the end."""
        try:
            self._writer = self._writer or await self._open()
            await close_stdin()
        except (BrokenPipeError, PodwrightError):  # it has ended
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Close it. Closing twice succeeds."""
        self._closed = True
        if self._writer is not None:
            self._writer.close()
