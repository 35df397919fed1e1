"""`podwright version`: versions of this program and the runtime."""

from __future__ import annotations

import click

from podwright import __version__
from podwright.cli import options
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.cri.v1 import api_pb2 as api


@click.command("version")
@options.output_option()
@pass_invocation
def command(invocation: Invocation, output: str | None) -> None:
    """Show the versions of this program and of the runtime at the endpoint."""
    response = run_async(_version(invocation))
    if output is not None:
        print_data(as_data(response), output)
        return
    click.echo(f"Client:   podwright {__version__}")
    click.echo(f"Runtime:  {response.runtime_name} {response.runtime_version}")
    click.echo(f"CRI:      {response.runtime_api_version} ({invocation.chosen_endpoint()})")


async def _version(invocation: Invocation) -> api.VersionResponse:
    async with connected(invocation) as cri:
        return await cri.call(cri.runtime.Version, api.VersionRequest())
