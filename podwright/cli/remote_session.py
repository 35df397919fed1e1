"""An exec or attach session between this terminal and a container."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import click
import msgspec

from podwright.cli import terminal
from podwright.cli.detach import DetachKeys
from podwright.cli.failures import CouldNotRun
from podwright.cli.stdio import FdSink, FdSource
from podwright.streams.client.command import CommandStreams, InputSource, run_command
from podwright.streams.remote_command.status import Outcome


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a session."""

    stdin: bool
    tty: bool
    detach_keys: bytes

    @property
    def raw(self) -> bool:
        """Whether keys go to the command one by one."""
        return self.stdin and self.tty


class SessionEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a session ended. `exit_code` is the one that the runtime reported, always 0 for an attach."""

    exit_code: int = 0
    detached: bool = False
    stdin_ended: bool = False


async def run_session(url: str, wishes: Wishes, container: str) -> SessionEnd:
    """Run until the command ends or the person detaches.

    Raises CouldNotRun if the runtime reports that the command could not be run or followed, and what `run_command`
    raises.
    """
    detached = asyncio.Event()
    source = _Keys(FdSource(terminal.STDIN), DetachKeys(wishes.detach_keys if wishes.raw else b""), detached)
    with terminal.raw_mode() if wishes.raw else contextlib.nullcontext():
        outcome = await _until_detached(_run(url, wishes, source), detached)
    if outcome is None:
        click.echo(f"\npodwright: detached from {container}, which keeps running", err=True)
        return SessionEnd(detached=True)
    if outcome.failure:
        raise CouldNotRun(outcome.failure)
    return SessionEnd(exit_code=outcome.exit_code, stdin_ended=source.ended)


async def _run(url: str, wishes: Wishes, source: InputSource) -> Outcome:
    stdout, stderr = FdSink(terminal.STDOUT), FdSink(terminal.STDERR)
    streams = CommandStreams(
        stdin=source if wishes.stdin else None,
        stdout=stdout,
        stderr=None if wishes.tty else stderr,
        tty=wishes.tty,
        sizes=terminal.sizes() if wishes.tty else None,
    )
    outcome = await run_command(url, streams)
    await stdout.drain()
    await stderr.drain()
    return outcome


async def _until_detached(running: Coroutine[Any, Any, Outcome], detached: asyncio.Event) -> Outcome | None:
    session = asyncio.create_task(running, name="remote session")
    leaving = asyncio.create_task(detached.wait(), name="wait for the detach keys")
    try:
        await asyncio.wait([session, leaving], return_when=asyncio.FIRST_COMPLETED)
        return await session if session.done() else None
    finally:
        session.cancel()
        leaving.cancel()
        await asyncio.gather(session, leaving, return_exceptions=True)


class _Keys:
    """stdin, checked for the detach keys."""

    def __init__(self, source: FdSource, keys: DetachKeys, detached: asyncio.Event) -> None:
        self._source = source
        self._keys = keys
        self._detached = detached
        self.ended = False

    async def read(self) -> bytes:
        while typed := await self._source.read():
            if passed := self._keys.feed(typed):
                return passed
            if self._keys.pressed:
                self._detached.set()
                await asyncio.Event().wait()  # stdin has not ended: wait for the cancellation of the session
        self.ended = True
        return self._keys.rest()
