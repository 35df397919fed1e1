"""Exec and attach sessions: bytes from the client to the process and back, sizes, and how it ended.

The client sets the pace: what it does not read stays in the process' pipe, and the process waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from podwright.runtime.container.attaching import AttachedClient, Stream
from podwright.runtime.container.exec_stream import RunningCommand
from podwright.runtime.model.streaming import AttachRequest
from podwright.runtime.streaming.inbox import Inbox
from podwright.runtime.streaming.remote import Remote
from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.protocol import StreamType
from podwright.streams.remote_command.resize import SizeReader
from podwright.streams.remote_command.status import Outcome

log = logging.getLogger(__name__)

QUIET_S = 2.0  # how long output may pause after the process' end, while a child of it holds the pipes

Gone = asyncio.Task[None]  # the remote's `run`: it ends when the client is gone


class Source(Protocol):
    """Output of a process."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""


class _Output:
    """One output stream on its way to the client, or to nowhere when the client did not ask for it."""

    def __init__(self, source: Source, remote: Remote, stream_type: StreamType | None) -> None:
        self._source = source
        self._remote = remote
        self._stream_type = stream_type
        self.chunks = 0
        self.waits_for_process = False
        self.copying = asyncio.create_task(self._copy())

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
    remote: Remote, gone: Gone, command: RunningCommand, wanted: frozenset[StreamType]
) -> Outcome | None:
    """Until the command's end; None when the client went away before that. Raises Unknown when it did not start."""
    outputs = [
        _Output(source, remote, stream_type if stream_type in wanted else None)
        for source, stream_type in ((command.stdout, StreamType.STDOUT), (command.stderr, StreamType.STDERR))
        if source is not None
    ]
    typing = asyncio.create_task(_type_into(command, remote))
    sizes = asyncio.create_task(_follow_sizes(remote, command.resize))
    ending = asyncio.create_task(command.wait())
    try:
        await asyncio.wait({ending, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            return None
        await _drained(outputs, gone)
        return Outcome(exit_code=ending.result())
    finally:
        remote.stdin.abandon()
        remote.sizes.abandon()
        await _cancelled([typing, sizes, ending, *(output.copying for output in outputs)])


async def _drained(outputs: list[_Output], gone: Gone) -> None:
    """Wait until the client has all output. A child that outlives the process may hold the pipes, but not for ever."""
    while pending := [output for output in outputs if not output.copying.done()]:
        before = [output.chunks for output in pending]
        tasks = {output.copying for output in pending}
        done, _ = await asyncio.wait({*tasks, gone}, timeout=QUIET_S, return_when=asyncio.FIRST_COMPLETED)
        quiet = not done and before == [output.chunks for output in pending]
        if gone in done or (quiet and all(output.waits_for_process for output in pending)):
            return


async def _type_into(command: RunningCommand, remote: Remote) -> None:
    """The client's input, and its end."""
    if command.stdin is None:
        return
    try:
        while data := await remote.stdin.get():
            await command.stdin.write(data)
        await command.end_input()
    except BrokenPipeError:  # the command reads no more, which is its right
        remote.stdin.abandon()


async def _follow_sizes(remote: Remote, resize: Callable[[int, int], None]) -> None:
    reader = SizeReader()
    try:
        while data := await remote.sizes.get():
            for size in reader.feed(data):
                resize(size.width, size.height)
    except ProtocolError as failure:
        log.info("a client sends sizes that are none: error=%s", failure)
        remote.sizes.abandon()


async def serve_attach(remote: Remote, gone: Gone, client: AttachedClient, request: AttachRequest) -> Outcome | None:
    """Until the container's end, or that of the client's input when no more hangs on it; None when the client went.

    Raises DeadlineExceeded for a client that does not read.
    """
    copying = asyncio.create_task(_show(remote, client, request))
    typing = asyncio.create_task(_type_into_attached(remote.stdin, client) if request.stdin else _never())
    sizes = asyncio.create_task(_follow_sizes(remote, client.resize))
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
        await _cancelled([copying, typing, sizes])


async def _show(remote: Remote, client: AttachedClient, request: AttachRequest) -> None:
    wanted = {Stream.STDOUT: request.stdout, Stream.STDERR: request.stderr}
    names = {Stream.STDOUT: StreamType.STDOUT, Stream.STDERR: StreamType.STDERR}
    while (output := await client.read()) is not None:
        stream, data = output
        if wanted[stream]:
            await remote.send(names[stream], data)


async def _type_into_attached(stdin: Inbox, client: AttachedClient) -> None:
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
