"""The command line on a pseudo-terminal, as a person sees it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator

from podwright.conformance.patience import patient

WAIT_S = patient(60.0)


class Terminal:
    """A terminal with a program on it."""

    def __init__(self, *arguments: str, endpoint: str, lines: int = 24, columns: int = 80) -> None:
        self._ours, self.theirs = pty.openpty()
        self.resize(lines, columns)
        self.settings = termios.tcgetattr(self.theirs)
        self.screen = bytearray()
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        # setsid makes it the controlling terminal, so that a new size is a signal.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "podwright", "-e", endpoint, *arguments],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
        )

    def type(self, keys: bytes) -> None:
        """What a person types."""
        os.write(self._ours, keys)

    def resize(self, lines: int, columns: int) -> None:
        """Another size of the window."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    async def shows(self, text: bytes) -> None:
        """Wait until this is on the screen; forget what came before its end."""
        async with asyncio.timeout(WAIT_S):
            while text not in self.screen:
                self._changed.clear()
                await self._changed.wait()
        del self.screen[: self.screen.index(text) + len(text)]

    async def exit_code(self) -> int:
        """When the program has ended."""
        async with asyncio.timeout(WAIT_S):
            while self.process.poll() is None:  # noqa: ASYNC110 # nothing tells
                await asyncio.sleep(0.02)
        return self.process.returncode

    def is_as_before(self) -> bool:
        """Whether the terminal's settings are those that the program found."""
        return termios.tcgetattr(self.theirs) == self.settings

    def close(self) -> None:
        """End the program, if it has not ended, and the terminal."""
        asyncio.get_running_loop().remove_reader(self._ours)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self.theirs)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            self.screen += os.read(self._ours, 65536)
            self._changed.set()


@contextlib.asynccontextmanager
async def terminal(*arguments: str, endpoint: str) -> AsyncIterator[Terminal]:
    """A terminal that is cleaned up."""
    made = Terminal(*arguments, endpoint=endpoint)
    try:
        yield made
    finally:
        made.close()
