"""`podwright update-runtime-config`: what a kubelet tells the runtime of its node."""

from __future__ import annotations

import click

from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.v1 import api_pb2 as api


@click.command("update-runtime-config")
@click.option("--pod-cidr", required=True, metavar="CIDR", help="Addresses for pods; two with a comma between.")
@pass_invocation
def command(invocation: Invocation, pod_cidr: str) -> None:
    """Tell the runtime which addresses the node's pods shall have, as a kubelet does."""
    config = api.RuntimeConfig(network_config=api.NetworkConfig(pod_cidr=pod_cidr))
    run_async(_update(invocation, api.UpdateRuntimeConfigRequest(runtime_config=config)))


async def _update(invocation: Invocation, request: api.UpdateRuntimeConfigRequest) -> None:
    async with connected(invocation) as cri:
        await cri.call(cri.runtime.UpdateRuntimeConfig, request)
