"""`podwright start`: starts created containers."""

from __future__ import annotations

import click

from podwright.cli import lookup
from podwright.cli.connection import connected, run_async
from podwright.cli.each import for_each
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.v1 import api_pb2 as api


@click.command("start")
@click.argument("references", metavar="CONTAINER...", nargs=-1, required=True)
@pass_invocation
def command(invocation: Invocation, references: tuple[str, ...]) -> None:
    """Start created containers and print their ids. A container that has ended cannot start again."""
    run_async(_start(invocation, references))


async def _start(invocation: Invocation, references: tuple[str, ...]) -> None:
    async with connected(invocation) as cri:

        async def start_one(reference: str) -> str:
            container_id = await lookup.find_container(cri, reference)
            await cri.call(cri.runtime.StartContainer, api.StartContainerRequest(container_id=container_id))
            return container_id

        await for_each(references, start_one)
