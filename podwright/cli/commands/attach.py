"""`podwright attach`: connects this terminal to a container's first process, by CRI's Attach."""

from __future__ import annotations

import asyncio
import time

import click

from podwright.cli import detach, lookup
from podwright.cli.connection import connected, run_async
from podwright.cli.failures import Leave
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.remote_session import SessionEnd, Wishes, run_session
from podwright.cli.terminal import check_terminal
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound

POLL_S = 0.05
ENDED_S = 10.0  # for the record of the end that the session has shown
STDIN_ENDED_S = 1.0  # if perhaps only our stdin has ended


@click.command("attach")
@click.option("-i", "--stdin", "interactive", is_flag=True, help="Pass stdin to the container, if it reads stdin.")
@click.option("-t", "--tty", is_flag=True, help="The container has a terminal. With -i, connect this one.")
@click.option("--detach-keys", default=detach.DEFAULT, show_default=True, help='Keys that detach. "": none.')
@click.argument("container")
@pass_invocation
def command(invocation: Invocation, interactive: bool, tty: bool, detach_keys: str, container: str) -> None:
    """Attach to CONTAINER (an id, the start of one, or a name) until it ends, then exit with its exit code.

    For earlier output, see `podwright logs`. After Ctrl-C (without -t) or the detach keys, the container keeps
    running.
    """
    wishes = Wishes(stdin=interactive, tty=tty, detach_keys=detach.parse_keys(detach_keys))
    if tty:
        check_terminal(interactive=interactive)
    exit_code = run_async(_attach(invocation, container, wishes))
    if exit_code != 0:
        raise Leave(exit_code & 0xFF)


async def _attach(invocation: Invocation, container: str, wishes: Wishes) -> int:
    async with connected(invocation) as cri:
        found = await lookup.find_container(cri, container)
        request = api.AttachRequest(
            container_id=found, tty=wishes.tty, stdin=wishes.stdin, stdout=True, stderr=not wishes.tty
        )
        url = (await cri.call(cri.runtime.Attach, request)).url
        session = await run_session(url, wishes, container)
        return 0 if session.detached else await _exit_code(cri, found, session)


async def _exit_code(cri: CriClient, container_id: str, session: SessionEnd) -> int:
    """The container's exit code. 0 if it still runs, because the session also ends with our stdin.

    The session ends with the container's output, shortly before the runtime records the container's end.
    """
    deadline = time.monotonic() + (STDIN_ENDED_S if session.stdin_ended else ENDED_S)
    request = api.ContainerStatusRequest(container_id=container_id)
    try:
        while time.monotonic() < deadline:
            status = (await cri.call(cri.runtime.ContainerStatus, request)).status
            if status.state == api.CONTAINER_EXITED:
                return status.exit_code
            await asyncio.sleep(POLL_S)
    except NotFound:  # it was removed
        pass
    return 0
