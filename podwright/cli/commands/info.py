"""`podwright info`: status and configuration of the runtime."""

from __future__ import annotations

from typing import Any

import click

from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.options import PROGRAM_FORMS
from podwright.cli.output import as_data, open_info, print_data
from podwright.cri.v1 import api_pb2 as api


@click.command("info")
@click.option("--quiet", "-q", is_flag=True, help="Omit the configuration and other details.")
@click.option("--output", "-o", type=click.Choice(PROGRAM_FORMS), default="json", show_default=True)
@pass_invocation
def command(invocation: Invocation, quiet: bool, output: str) -> None:
    """Show the runtime's conditions, handlers and features, and its configuration if it reports one."""
    print_data(described(run_async(_status(invocation, verbose=not quiet))), output)


async def _status(invocation: Invocation, *, verbose: bool) -> api.StatusResponse:
    async with connected(invocation) as cri:
        return await cri.call(cri.runtime.Status, api.StatusRequest(verbose=verbose))


def described(response: api.StatusResponse) -> dict[str, Any]:
    """The form that crictl shows: details beside the status, each under its own key."""
    return {
        "status": as_data(response.status),
        "runtimeHandlers": [as_data(handler) for handler in response.runtime_handlers],
        "features": as_data(response.features),
        **open_info(response.info),
    }
