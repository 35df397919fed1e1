"""`podwright attach`: this terminal on the first process of a container, by CRI's Attach and its stream."""

from __future__ import annotations

import click

from podwright.cli import detach, lookup
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.remote_session import Wishes, run_session
from podwright.cli.terminal import check_terminal
from podwright.cri.v1 import api_pb2 as api


@click.command("attach")
@click.option("-i", "--stdin", "interactive", is_flag=True, help="Pass on stdin, to a container that takes any.")
@click.option("-t", "--tty", is_flag=True, help="The container has a terminal; with -i, make this one its own.")
@click.option("--detach-keys", default=detach.DEFAULT, show_default=True, help='Keys that leave it; "": none.')
@click.argument("container")
@pass_invocation
def command(invocation: Invocation, interactive: bool, tty: bool, detach_keys: str, container: str) -> None:
    """Show what CONTAINER (an id, the start of one, or a name) writes from now on, until it ends.

    What it wrote before is in `podwright logs`. Leaving by Ctrl-C without -t, or by the detach keys, lets it run on.
    """
    wishes = Wishes(stdin=interactive, tty=tty, detach_keys=detach.parse_keys(detach_keys))
    if tty:
        check_terminal(interactive=interactive)
    run_async(_attach(invocation, container, wishes))


async def _attach(invocation: Invocation, container: str, wishes: Wishes) -> None:
    async with connected(invocation) as cri:
        found = await lookup.find_container(cri, container)
        request = api.AttachRequest(
            container_id=found, tty=wishes.tty, stdin=wishes.stdin, stdout=True, stderr=not wishes.tty
        )
        url = (await cri.call(cri.runtime.Attach, request)).url
        await run_session(url, wishes, container)
