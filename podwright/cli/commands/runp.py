"""`podwright runp`: runs a pod sandbox from a CRI config."""

from __future__ import annotations

import click

from podwright.cli.connection import connected, run_async
from podwright.cli.cri_config import read_pod_config
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.client import DEFAULT_TIMEOUT_S
from podwright.cri.v1 import api_pb2 as api

TIMEOUT_S = 2 * DEFAULT_TIMEOUT_S  # doubled as in the kubelet, because networks may be slow


@click.command("runp")
@click.option("--runtime", "-r", "handler", default="", metavar="NAME", help="The runtime handler. info lists them.")
@click.argument("config", metavar="POD-CONFIG")
@pass_invocation
def command(invocation: Invocation, handler: str, config: str) -> None:
    """Run a pod sandbox and print its id.

    POD-CONFIG is a file with CRI's PodSandboxConfig in JSON or YAML, as crictl takes it (- is standard input). For a
    Kubernetes Pod, use `podwright run`.
    """
    request = api.RunPodSandboxRequest(config=read_pod_config(config), runtime_handler=handler)
    click.echo(run_async(_run(invocation, request)))


async def _run(invocation: Invocation, request: api.RunPodSandboxRequest) -> str:
    async with connected(invocation) as cri:
        return (await cri.call(cri.runtime.RunPodSandbox, request, timeout_s=TIMEOUT_S)).pod_sandbox_id
