"""The stdio of an exec: pipes or a terminal, our ends ready for coroutines, the child's ends to be given away.

Every descriptor that is given away was made for this command alone. The host's /dev/null is never among them: older
cruns give it to the command's user, and the command itself may change its mode.

Made by `exec_stream` for one command. The runtime's own message, when it cannot start the command, comes on the same
descriptor as the command's stderr: `Stderr` tells them apart.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

from podwright.process import FdReader, FdWriter, new_pipe

End = TypeVar("End", FdReader, FdWriter)


class ChildEnds:
    """The descriptors for a child, by their numbers there. Ours are closed with the block."""

    def __init__(self, owner: tuple[int, int]) -> None:
        """`owner` is the user and the group, on the host, that the pipes belong to."""
        self._owner = owner
        self.fds: dict[int, int] = {}
        self._ours: list[FdReader | FdWriter] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fd in set(self.fds.values()):
            os.close(fd)
        if failure is not None:
            for end in self._ours:
                end.close()

    def output(self, number: int) -> FdReader:
        """A pipe that the child writes to."""
        reader, self.fds[number] = new_pipe(self._owner)
        return self._kept(FdReader(reader))

    def input(self, number: int) -> FdWriter:
        """A pipe that the child reads from."""
        self.fds[number], writer = new_pipe(self._owner)
        return self._kept(FdWriter(writer))

    def no_input(self, number: int) -> None:
        """A pipe whose end has come."""
        self.fds[number], writer = new_pipe(self._owner)
        os.close(writer)

    def terminal(self, master: int, slave: int) -> tuple[FdReader, FdWriter]:
        """A terminal for the child's 0 and 1."""
        self.fds |= {0: slave, 1: slave}
        reader, writer = both_ways(master)
        return self._kept(reader), self._kept(writer)

    def _kept(self, end: End) -> End:
        self._ours.append(end)
        return end


def both_ways(master: int) -> tuple[FdReader, FdWriter]:
    """A terminal's master for reading and writing, each with its own descriptor. Closing both hangs up."""
    writer = FdWriter(os.dup(master))
    return FdReader(master), writer


class Stderr:
    """A command's descriptor 2, without the runtime's message when it cannot start the command."""

    def __init__(self, errors: FdReader, started: Callable[[], Awaitable[bool]]) -> None:
        """`started` tells, when it is known, whether the command was started."""
        self._errors = errors
        self._started = started
        self._first: asyncio.Task[bytes] | None = asyncio.create_task(errors.read(), name="read stderr of an exec")

    async def read(self) -> bytes:
        """The command's next output. Empty at the end, or if it was not started."""
        if self._first is None:
            return await self._errors.read()
        data = await asyncio.shield(self._first)
        if not await self._started():
            return b""
        self._first = None
        return data

    async def failure(self) -> str:
        """What the runtime said of a command that it could not start."""
        data = await asyncio.shield(self._first) if self._first is not None else b""
        return data.decode(errors="replace")

    def close(self) -> None:
        """Stop reading. The command gets EPIPE."""
        self._errors.close()
