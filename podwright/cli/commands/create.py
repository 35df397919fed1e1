"""`podwright create`: creates a container from a CRI config."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from podwright.cli import lookup
from podwright.cli.connection import connected, run_async
from podwright.cli.cri_config import STDIN, read_container_config, read_pod_config
from podwright.cli.image_pull import pull
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.v1 import api_pb2 as api

if TYPE_CHECKING:
    from podwright.cri.client import CriClient


@click.command("create")
@click.option("--with-pull", is_flag=True, help="First pull the image, and those of image volumes.")
@click.argument("pod")
@click.argument("container_config", metavar="CONTAINER-CONFIG")
@click.argument("pod_config", metavar="POD-CONFIG")
@pass_invocation
def command(invocation: Invocation, with_pull: bool, pod: str, container_config: str, pod_config: str) -> None:
    """Create a container in POD (an id, the start of one, or a name) and print its id. Use start to start it.

    CONTAINER-CONFIG and POD-CONFIG are files with CRI's ContainerConfig, and the PodSandboxConfig of the pod, in JSON
    or YAML, as crictl takes them (- is standard input).
    """
    if container_config == pod_config == STDIN:
        raise click.UsageError("only one of the two configs can be standard input")
    request = api.CreateContainerRequest(
        config=read_container_config(container_config), sandbox_config=read_pod_config(pod_config)
    )
    click.echo(run_async(_create(invocation, pod, request, with_pull=with_pull)))


async def _create(invocation: Invocation, pod: str, request: api.CreateContainerRequest, *, with_pull: bool) -> str:
    async with connected(invocation) as cri:
        request.pod_sandbox_id = await lookup.find_pod(cri, pod)
        if with_pull:
            await _pull_all(cri, request)
        return (await cri.call(cri.runtime.CreateContainer, request)).container_id


async def _pull_all(cri: CriClient, request: api.CreateContainerRequest) -> None:
    volumes = [mount.image.image for mount in request.config.mounts if mount.image.image]
    for reference in dict.fromkeys([request.config.image.image, *volumes]):
        await pull(cri, reference, shown_on=sys.stderr, sandbox_config=request.sandbox_config)
