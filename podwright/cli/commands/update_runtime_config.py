"""`podwright update-runtime-config`: sets the address range for pods, as a kubelet does."""

from __future__ import annotations

import click

from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.v1 import api_pb2 as api


@click.command("update-runtime-config")
@click.option("--pod-cidr", required=True, metavar="CIDR", help="One network, or two separated by a comma.")
@pass_invocation
def command(invocation: Invocation, pod_cidr: str) -> None:
    """Tell the runtime the address range for the node's pods, as a kubelet does."""
    config = api.RuntimeConfig(network_config=api.NetworkConfig(pod_cidr=pod_cidr))
    run_async(_update(invocation, api.UpdateRuntimeConfigRequest(runtime_config=config)))


async def _update(invocation: Invocation, request: api.UpdateRuntimeConfigRequest) -> None:
    async with connected(invocation) as cri:
        await cri.call(cri.runtime.UpdateRuntimeConfig, request)
