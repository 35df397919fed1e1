"""`podwright stop`: stops containers and pods gracefully."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from podwright.cli import lookup, options
from podwright.cli.connection import connected, run_async
from podwright.cli.each import for_each
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.client import DEFAULT_TIMEOUT_S
from podwright.cri.v1 import api_pb2 as api

if TYPE_CHECKING:
    from podwright.cri.client import CriClient

GRACE_S = 10  # as in docker and podman


@click.command("stop")
@click.option(
    "--timeout", "-t", "grace_s", type=click.IntRange(min=0), default=GRACE_S, show_default=True,
    help="Seconds between the stop signal and SIGKILL.",
)  # fmt: skip
@options.kind_option("container", "pod")
@click.argument("references", metavar="ID...", nargs=-1, required=True)
@pass_invocation
def command(invocation: Invocation, grace_s: int, kind: lookup.Kind | None, references: tuple[str, ...]) -> None:
    """Stop containers or pods and print their ids.

    A pod's containers stop together, each with the grace period, and then the pod itself.
    """
    run_async(_stop(invocation, references, grace_s, kind))


async def _stop(invocation: Invocation, references: tuple[str, ...], grace_s: int, kind: lookup.Kind | None) -> None:
    async with connected(invocation) as cri:

        async def stop_one(reference: str) -> str:
            found = await lookup.find_container_or_pod(cri, reference, kind)
            if found.kind == "pod":
                await stop_pod(cri, found.id, grace_s)
            else:
                await stop_container(cri, found.id, grace_s)
            return found.id

        await for_each(references, stop_one)


async def stop_container(cri: CriClient, container_id: str, grace_s: int) -> None:
    """StopContainer with a deadline that includes the grace period. Raises a PodwrightError."""
    request = api.StopContainerRequest(container_id=container_id, timeout=grace_s)
    await cri.call(cri.runtime.StopContainer, request, timeout_s=DEFAULT_TIMEOUT_S + grace_s)


async def stop_pod(cri: CriClient, pod_id: str, grace_s: int) -> None:
    """Stop a sandbox after its running containers, as the kubelet does. Raises a PodwrightError."""
    running = api.ContainerFilter(pod_sandbox_id=pod_id, state=api.ContainerStateValue(state=api.CONTAINER_RUNNING))
    listed = await cri.call(cri.runtime.ListContainers, api.ListContainersRequest(filter=running))
    await asyncio.gather(*(stop_container(cri, container.id, grace_s) for container in listed.containers))
    await cri.call(cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod_id))
