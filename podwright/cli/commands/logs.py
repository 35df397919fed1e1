"""`podwright logs`: the log of a container, from the file that its runtime names."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

import click
import msgspec

from podwright.cli import lookup
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.log_source import is_over, log_before, log_of
from podwright.cli.log_writer import LimitReached, LogWriter
from podwright.cli.since import parse_since
from podwright.cli.stdio import binary_output
from podwright.cri.v1 import api_pb2 as api
from podwright.crilog.follow import LogFollower, LogWatch
from podwright.crilog.records import Stream
from podwright.crilog.tail import Tail, find_tail

if TYPE_CHECKING:
    from podwright.cri.client import CriClient

STATUS_POLL_S = 0.5
ALL_LINES = -1


class LogChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which log of a container, and which part."""

    follow: bool
    previous: bool
    reopen: bool
    tail: int
    stream: Stream | None


@click.command("logs")
@click.option("--follow", "-f", is_flag=True, help="Follow the log until the container ends.")
@click.option(
    "--tail",
    type=click.IntRange(min=ALL_LINES),
    default=ALL_LINES,
    metavar="N",
    help="Show only the last N lines. -1: all.",
)
@click.option(
    "--since", metavar="TIME", help="Show only lines since TIME: 42m (before now), RFC 3339, or epoch seconds."
)
@click.option("--timestamps", "-t", is_flag=True, help="Start each line with its time.")
@click.option("--previous", "-p", is_flag=True, help="Show the log of the previous attempt.")
@click.option("--stream", "-s", type=click.Choice(("stdout", "stderr")), help="Show only this stream.")
@click.option("--limit-bytes", type=click.IntRange(min=0), metavar="N", help="Stop after N bytes.")
@click.option("--reopen", "-r", is_flag=True, help="First let the runtime reopen the log, as after a rotation.")
@click.argument("container")
@pass_invocation
def command(  # noqa: PLR0913, PLR0917 # one argument per option is click's way
    invocation: Invocation,
    follow: bool,
    tail: int,
    since: str | None,
    timestamps: bool,
    previous: bool,
    stream: Stream | None,
    limit_bytes: int | None,
    reopen: bool,
    container: str,
) -> None:
    """Show what CONTAINER (an id, the start of one, or a name) wrote to stdout and stderr.

    The log is a file on this machine, so an endpoint on another machine does not work.
    """
    writer = LogWriter(
        out=binary_output(sys.stdout),
        err=binary_output(sys.stderr),
        timestamps=timestamps,
        since_ns=parse_since(since, time.time_ns()) if since is not None else None,
        stream=stream,
        limit_bytes=limit_bytes,
        at_once=follow,
    )
    wanted = LogChoice(follow=follow, previous=previous, reopen=reopen, tail=tail, stream=stream)
    run_async(_show(invocation, container, wanted, writer))


async def _show(invocation: Invocation, word: str, wanted: LogChoice, writer: LogWriter) -> None:
    async with connected(invocation) as cri:
        container_id = await lookup.find_container(cri, word)
        if wanted.reopen:
            request = api.ReopenContainerLogRequest(container_id=container_id)
            await cri.call(cri.runtime.ReopenContainerLog, request)
        if wanted.previous:
            path = await log_before(cri, container_id)
        else:
            path = await log_of(cri, container_id, may_come=wanted.follow)
        watch = LogWatch()
        with contextlib.closing(watch), contextlib.suppress(LimitReached):
            follower = LogFollower(path, _tail_of(path, wanted).parser(), writer.write, watch)
            # An attempt with a successor has ended.
            if wanted.follow and not wanted.previous:
                await _follow(cri, container_id, follower)
            else:
                follower.finish()
                await follower.run()
        writer.flush()


def _tail_of(path: str, wanted: LogChoice) -> Tail:
    """Where to begin. Raises OSError."""
    if wanted.tail == ALL_LINES:
        return Tail()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Tail()  # a log that does not exist yet is shown from its beginning
    try:
        return find_tail(descriptor, wanted.tail, wanted.stream)
    finally:
        os.close(descriptor)


async def _follow(cri: CriClient, container_id: str, follower: LogFollower) -> None:
    """Show the log until the container ends, or until the runtime does not answer, which is raised."""

    async def until_over() -> None:
        try:
            # Not with GetContainerEvents: containerd 1.7 sends each event to one client, so a kubelet would miss it.
            while not await is_over(cri, container_id):  # noqa: ASYNC110 # as the line above says
                await asyncio.sleep(STATUS_POLL_S)
        finally:
            follower.finish()

    watching = asyncio.create_task(until_over(), name=f"watch {container_id[:13]}")
    try:
        await follower.run()
        await watching
    finally:
        watching.cancel()
