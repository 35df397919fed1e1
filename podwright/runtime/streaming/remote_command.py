"""Exec and attach sessions: bytes from the client to the process and back, sizes, and how it ended.

The client sets the pace: what it does not read stays in the process' pipe, and the process waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from podwright.runtime.handlers.protocol import Attached, Exec, OutputStream, Source
from podwright.runtime.model.streaming import AttachRequest
from podwright.runtime.streaming.inbox import Inbox
from podwright.runtime.streaming.remote import Remote
from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.protocol import StreamType
from podwright.streams.remote_command.resize import SizeReader, TerminalSize
from podwright.streams.remote_command.status import Outcome

log = logging.getLogger(__name__)

FIRST_SIZE_S = 0.05  # for a client to say how large its terminal is
QUIET_S = 2.0  # how long output may pause after the process' end, while a child of it holds the pipes

Gone = asyncio.Task[None]  # the remote's `run`: it ends when the client is gone


class TerminalSizes:
    """The sizes of the client's terminal."""

    def __init__(self, remote: Remote) -> None:
        self._inbox = remote.sizes
        self._reader = SizeReader()
        self._read: deque[TerminalSize] = deque()

    async def first(self) -> TerminalSize | None:
        """The one to start with: clients send it with the streams, if at all; a program should see no other before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SIZE_S):
                return await self._next()
        return None

    async def follow(self, resize: Callable[[int, int], None]) -> None:
        """Until the client says no more."""
        while (size := await self._next()) is not None:
            resize(size.width, size.height)

    async def _next(self) -> TerminalSize | None:
        """None at the end, and from a client that sends something else."""
        while not self._read:
            if not (data := await self._inbox.get()):
                return None
            try:
                self._read.extend(self._reader.feed(data))
            except ProtocolError as failure:
                log.info("a client sends sizes that are none: error=%s", failure)
                self._inbox.abandon()
        return self._read.popleft()


class _Output:
    """One output stream on its way to the client, or to nowhere when the client did not ask for it."""

    def __init__(self, source: Source, remote: Remote, stream_type: StreamType | None) -> None:
        self._source = source
        self._remote = remote
        self._stream_type = stream_type
        self.chunks = 0
        self.waits_for_process = False
        self.copying = asyncio.create_task(self._copy(), name=f"copy {stream_type or 'unwanted output'}")

    async def _copy(self) -> None:
        """Until the end of the output. Raises Unavailable when the client is gone."""
        while True:
            self.waits_for_process = True
            data = await self._source.read()
            self.waits_for_process = False
            if not data:
                return
            self.chunks += 1
            if self._stream_type is not None:
                await self._remote.send(self._stream_type, data)
            await asyncio.sleep(0)  # a fast process and a fast client must not keep the loop to themselves


async def serve_exec(
    remote: Remote, gone: Gone, command: Exec, sizes: TerminalSizes, wanted: frozenset[StreamType]
) -> Outcome | None:
    """Until the command's end; None when the client went away before. Raises RuntimeFailed if it did not start."""
    outputs = [
        _Output(source, remote, stream_type if stream_type in wanted else None)
        for source, stream_type in ((command.stdout, StreamType.STDOUT), (command.stderr, StreamType.STDERR))
        if source is not None
    ]
    resizing = asyncio.create_task(
        sizes.follow(command.resize), name="resize exec"
    )  # first: what is typed may ask for it
    typing = asyncio.create_task(_type_into(command, remote), name="type into exec")
    ending = asyncio.create_task(command.wait(), name="wait for exec")
    try:
        await asyncio.wait({ending, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            return None
        await _drained(outputs, gone)
        return Outcome(exit_code=ending.result())
    finally:
        remote.stdin.abandon()
        remote.sizes.abandon()
        await _cancelled([typing, resizing, ending, *(output.copying for output in outputs)])


async def _drained(outputs: list[_Output], gone: Gone) -> None:
    """Wait until the client has all output. A child that outlives the process may hold the pipes, but not for ever."""
    while pending := [output for output in outputs if not output.copying.done()]:
        before = [output.chunks for output in pending]
        tasks = {output.copying for output in pending}
        done, _ = await asyncio.wait({*tasks, gone}, timeout=QUIET_S, return_when=asyncio.FIRST_COMPLETED)
        quiet = not done and before == [output.chunks for output in pending]
        if gone in done or (quiet and all(output.waits_for_process for output in pending)):
            return


async def _type_into(command: Exec, remote: Remote) -> None:
    """The client's input, and its end."""
    if command.stdin is None:
        return
    try:
        while data := await remote.stdin.get():
            await command.stdin.write(data)
        await command.end_input()
    except BrokenPipeError:  # the command reads no more, which is its right
        remote.stdin.abandon()


async def serve_attach(remote: Remote, gone: Gone, client: Attached, request: AttachRequest) -> Outcome | None:
    """Until the container's end, or that of the client's input when no more hangs on it; None when the client went.

    Raises DeadlineExceeded for a client that does not read.
    """
    copying = asyncio.create_task(_show(remote, client, request), name="show attached output")
    resizing = asyncio.create_task(TerminalSizes(remote).follow(client.resize), name="resize attached")
    typing = asyncio.create_task(
        _type_into_attached(remote.stdin, client) if request.stdin else _never(), name="type into attached"
    )
    try:
        await asyncio.wait({copying, typing, gone}, return_when=asyncio.FIRST_COMPLETED)
        client.close()  # what is being sent, is sent
        await asyncio.wait({copying, gone}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            return None
        copying.result()
        return Outcome()
    finally:
        remote.stdin.abandon()
        remote.sizes.abandon()
        await _cancelled([copying, typing, resizing])


async def _show(remote: Remote, client: Attached, request: AttachRequest) -> None:
    wanted = {OutputStream.STDOUT: request.stdout, OutputStream.STDERR: request.stderr}
    names = {OutputStream.STDOUT: StreamType.STDOUT, OutputStream.STDERR: StreamType.STDERR}
    while (output := await client.read()) is not None:
        stream, data = output
        if wanted[stream]:
            await remote.send(names[stream], data)


async def _type_into_attached(stdin: Inbox, client: Attached) -> None:
    """Returns when the session is over with the client's input."""
    try:
        while data := await stdin.get():
            await client.write(data)
    except BrokenPipeError:  # the container reads no more; its output goes on
        stdin.abandon()
        await _never()
    if await client.end_input():
        await _never()


async def _never() -> None:
    await asyncio.get_running_loop().create_future()


async def _cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel them and wait for their ends; what they raised has been seen, or matters no more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
