"""`podwright logs`: what a container wrote, read from the log file that its runtime names."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from podwright.agent.logs import follow_log
from podwright.agent.reporter import LogLine
from podwright.cli import lookup
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.log_tail import LateParser, tail_offset
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, NotFound

if TYPE_CHECKING:
    from podwright.cri.client import CriClient

STATUS_POLL_S = 0.5


@click.command("logs")
@click.option("--follow", "-f", is_flag=True, help="Go on until the container ends.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines.")
@click.option("--timestamps", is_flag=True, help="Begin each line with its time.")
@click.option("--previous", "-p", is_flag=True, help="Of the attempt before this one.")
@click.argument("container")
@pass_invocation
def command(
    invocation: Invocation, follow: bool, tail: int | None, timestamps: bool, previous: bool, container: str
) -> None:
    """Show what CONTAINER (an id, the start of one, or a name) wrote to stdout and stderr.

    The log is a file of this machine; an endpoint on another one cannot be read.
    """

    def emit(line: LogLine) -> None:
        stream = sys.stdout if line.stream == "stdout" else sys.stderr
        stream.write(f"{line.time} {line.text}\n" if timestamps and line.time else f"{line.text}\n")
        if follow:
            stream.flush()

    run_async(_show(invocation, container, emit=emit, follow=follow, tail=tail, previous=previous))


async def _show(
    invocation: Invocation,
    word: str,
    *,
    emit: Callable[[LogLine], None],
    follow: bool,
    tail: int | None,
    previous: bool,
) -> None:
    async with connected(invocation) as cri:
        container_id = await lookup.find_container(cri, word)
        if previous:
            container_id = await _attempt_before(cri, container_id)
        path = await _log_path(cri, container_id)
        skip = 0 if tail is None else tail_offset(path, tail)
        ended = asyncio.Event()
        watching = (
            asyncio.create_task(_watch(cri, container_id, ended), name="watch the container") if follow else None
        )
        if not follow:
            ended.set()
        try:
            await follow_log(path, LateParser(word, skip_bytes=skip), emit, ended)
            if watching is not None:
                await watching
        finally:
            if watching is not None:
                watching.cancel()


async def _log_path(cri: CriClient, container_id: str) -> str:
    """Raises FailedPrecondition when the container has no log, NotFound when it is not here."""
    request = api.ContainerStatusRequest(container_id=container_id)
    path = (await cri.call(cri.runtime.ContainerStatus, request)).status.log_path
    if not path:
        raise FailedPrecondition(f"container {container_id[:13]} has no log", hint="its pod named no log directory")
    try:
        with open(path, "rb"):
            return path
    except FileNotFoundError as failure:
        raise NotFound(
            f"the log {path} does not exist", hint="has the container started, on this machine?"
        ) from failure


async def _attempt_before(cri: CriClient, container_id: str) -> str:
    """The container that the given one replaced. Raises NotFound."""
    listed = await cri.call(cri.runtime.ListContainers, api.ListContainersRequest())
    this = next((each for each in listed.containers if each.id == container_id), None)
    if this is None:
        raise NotFound(f"container {container_id[:13]} is gone")
    earlier = [
        each
        for each in listed.containers
        if each.pod_sandbox_id == this.pod_sandbox_id
        and each.metadata.name == this.metadata.name
        and each.metadata.attempt < this.metadata.attempt
    ]
    if not earlier:
        raise NotFound(f"container {this.metadata.name} has no attempt before this one (it was removed, or never was)")
    return max(earlier, key=lambda each: each.metadata.attempt).id


async def _watch(cri: CriClient, container_id: str, ended: asyncio.Event) -> None:
    """Set `ended` when the container no longer runs and will not start, or when the runtime cannot be asked."""
    request = api.ContainerStatusRequest(container_id=container_id)
    try:
        while True:
            response = await cri.call(cri.runtime.ContainerStatus, request)
            if response.status.state in (api.CONTAINER_EXITED, api.CONTAINER_UNKNOWN):
                return
            await asyncio.sleep(STATUS_POLL_S)
    except NotFound:
        return  # removed: as ended as can be
    finally:
        ended.set()
