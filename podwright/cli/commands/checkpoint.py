"""`podwright checkpoint`: writes a running container to an archive."""

from __future__ import annotations

import os

import click

from podwright.cli import lookup, optional_calls
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.v1 import api_pb2 as api


@click.command("checkpoint")
@click.option("--export", "-e", "archive", required=True, metavar="FILE", help="The tar archive to write.")
@click.argument("container")
@pass_invocation
def command(invocation: Invocation, archive: str, container: str) -> None:
    """Write the running CONTAINER (an id, the start of one, or a name) to an archive, and print its id.

    The container keeps running. The runtime writes FILE on its own machine, and needs CRIU there.
    """
    click.echo(run_async(_checkpoint(invocation, container, os.path.abspath(archive))))


async def _checkpoint(invocation: Invocation, container: str, archive: str) -> str:
    async with connected(invocation) as cri:
        container_id = await lookup.find_container(cri, container)
        request = api.CheckpointContainerRequest(container_id=container_id, location=archive)
        await optional_calls.call(cri, cri.runtime.CheckpointContainer, request, "checkpoint containers")
    return container_id
