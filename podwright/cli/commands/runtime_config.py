"""`podwright runtime-config`: the runtime's cgroup driver, which a kubelet follows."""

from __future__ import annotations

import click

from podwright.cli import optional_calls, options
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.cri.v1 import api_pb2 as api


@click.command("runtime-config")
@options.output_option()
@pass_invocation
def command(invocation: Invocation, output: str | None) -> None:
    """Show the cgroup driver of the runtime. With systemd, the cgroup parent in a pod's config must be a .slice."""
    response = run_async(_config(invocation))
    if output is not None:
        print_data(as_data(response), output)
    else:
        click.echo(f"cgroup driver:  {api.CgroupDriver.Name(response.linux.cgroup_driver).lower()}")


async def _config(invocation: Invocation) -> api.RuntimeConfigResponse:
    async with connected(invocation) as cri:
        request = api.RuntimeConfigRequest()
        return await optional_calls.call(cri, cri.runtime.RuntimeConfig, request, "tell its configuration")
