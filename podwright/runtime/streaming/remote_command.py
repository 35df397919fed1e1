"""Exec and attach sessions: copies bytes between client and process, follows terminal sizes, reports the outcome.

The client sets the pace: unread output stays in the process's pipe, and the process waits.
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

FIRST_SIZE_S = 0.05  # for a client to send the size of its terminal
QUIET_S = 2.0  # how long output may pause after the process's end while its children hold the pipes

Gone = asyncio.Task[None]  # the remote's `run`, which ends when the client is gone


class TerminalSizes:
    """The sizes of the client's terminal."""

    def __init__(self, remote: Remote) -> None:
        self._inbox = remote.sizes
        self._reader = SizeReader()
        self._read: deque[TerminalSize] = deque()

    async def first(self) -> TerminalSize | None:
        """The size to start with.

        Clients send it with the streams, and the program should see no other size before.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SIZE_S):
                return await self._next()
        return None

    async def follow(self, resize: Callable[[int, int], None]) -> None:
        """Apply sizes until the client sends no more."""
        while (size := await self._next()) is not None:
            resize(size.width, size.height)

    async def _next(self) -> TerminalSize | None:
        """The next size. None at the end, and after invalid data."""
        while not self._read:
            if not (data := await self._inbox.get()):
                return None
            try:
                self._read.extend(self._reader.feed(data))
            except ProtocolError as failure:
                log.info("client sent an invalid terminal size: error=%s", failure)
                self._inbox.abandon()
        return self._read.popleft()


class _Output:
    """One output stream on its way to the client. It is discarded if the client did not request it."""

    def __init__(self, source: Source, remote: Remote, stream_type: StreamType | None) -> None:
        self._source = source
        self._remote = remote
        self._stream_type = stream_type
        self.chunks = 0
        self.waits_for_process = False
        self.copying = asyncio.create_task(self._copy(), name=f"copy {stream_type or 'unwanted output'}")

    async def _copy(self) -> None:
        """Copy until the end of the output. Raises Unavailable if the client is gone."""
        while True:
            self.waits_for_process = True
            data = await self._source.read()
            self.waits_for_process = False
            if not data:
                return
            self.chunks += 1
            if self._stream_type is not None:
                await self._remote.send(self._stream_type, data)
            await asyncio.sleep(0)  # a fast process and a fast client must not block the event loop


async def serve_exec(
    remote: Remote, gone: Gone, command: Exec, sizes: TerminalSizes, wanted: frozenset[StreamType]
) -> Outcome | None:
    """Run until the command ends. None if the client left before.

    Raises RuntimeFailed if the command did not start.
    """
    outputs = [
        _Output(source, remote, stream_type if stream_type in wanted else None)
        for source, stream_type in ((command.stdout, StreamType.STDOUT), (command.stderr, StreamType.STDERR))
        if source is not None
    ]
    resizing = asyncio.create_task(
        sizes.follow(command.resize), name="resize exec"
    )  # first, because typed input may query the size
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
    """Wait until the client has all output, but with a limit: a child of the process may hold the pipes."""
    while pending := [output for output in outputs if not output.copying.done()]:
        before = [output.chunks for output in pending]
        tasks = {output.copying for output in pending}
        done, _ = await asyncio.wait({*tasks, gone}, timeout=QUIET_S, return_when=asyncio.FIRST_COMPLETED)
        quiet = not done and before == [output.chunks for output in pending]
        if gone in done or (quiet and all(output.waits_for_process for output in pending)):
            return


async def _type_into(command: Exec, remote: Remote) -> None:
    """Copy the client's input and its end."""
    if command.stdin is None:
        return
    try:
        while data := await remote.stdin.get():
            await command.stdin.write(data)
        await command.end_input()
    except BrokenPipeError:  # the command has closed its stdin
        remote.stdin.abandon()


async def serve_attach(remote: Remote, gone: Gone, client: Attached, request: AttachRequest) -> Outcome | None:
    """Run until the container ends, or its input if no output is attached. None if the client left.

    Raises DeadlineExceeded for a client that does not read.
    """
    copying = asyncio.create_task(_show(remote, client, request), name="show attached output")
    resizing = asyncio.create_task(TerminalSizes(remote).follow(client.resize), name="resize attached")
    typing = asyncio.create_task(
        _type_into_attached(remote.stdin, client) if request.stdin else _never(), name="type into attached"
    )
    try:
        await asyncio.wait({copying, typing, gone}, return_when=asyncio.FIRST_COMPLETED)
        client.close()  # sent data still arrives
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
    """Copy the client's input. Returns when its end also ends the session."""
    try:
        while data := await stdin.get():
            await client.write(data)
    except BrokenPipeError:  # the container has closed its stdin, but its output continues
        stdin.abandon()
        await _never()
    if await client.end_input():
        await _never()


async def _never() -> None:
    await asyncio.get_running_loop().create_future()


async def _cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel the tasks and wait for their ends. Their failures were already handled or do not matter."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
