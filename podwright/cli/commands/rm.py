"""`podwright rm`: removes containers and pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from podwright.cli import lookup, options
from podwright.cli.commands.stop import GRACE_S, stop_container, stop_pod
from podwright.cli.connection import connected, run_async
from podwright.cli.each import for_each
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition

if TYPE_CHECKING:
    from podwright.cri.client import CriClient


@click.command("rm")
@click.option("--force", "-f", is_flag=True, help="First stop running ones.")
@click.option("--all", "-a", "every", is_flag=True, help="Remove every pod with its containers.")
@options.kind_option("container", "pod")
@click.argument("references", metavar="ID...", nargs=-1)
@pass_invocation
def command(
    invocation: Invocation, force: bool, every: bool, kind: lookup.Kind | None, references: tuple[str, ...]
) -> None:
    """Remove containers or pods (a pod with its containers) and print their ids.

    Running ones are not removed without -f.
    """
    if every == bool(references):
        raise click.UsageError("use either ids or --all")
    run_async(_remove(invocation, references, every=every, force=force, kind=kind))


async def _remove(
    invocation: Invocation, references: tuple[str, ...], *, every: bool, force: bool, kind: lookup.Kind | None
) -> None:
    async with connected(invocation) as cri:
        if every:
            references = tuple(pod.id for pod in await lookup.pod_candidates(cri))

        async def remove_one(reference: str) -> str:
            found = await lookup.find_container_or_pod(cri, reference, kind)
            if found.kind == "pod":
                await _remove_pod(cri, found.id, force=force)
            else:
                await _remove_container(cri, found.id, force=force)
            return found.id

        await for_each(references, remove_one)


async def _remove_container(cri: CriClient, container_id: str, *, force: bool) -> None:
    status = await cri.call(cri.runtime.ContainerStatus, api.ContainerStatusRequest(container_id=container_id))
    if status.status.state == api.CONTAINER_RUNNING:
        if not force:
            raise FailedPrecondition(f"container {container_id[:13]} is running", hint="stop it first, or use -f")
        await stop_container(cri, container_id, GRACE_S)
    await cri.call(cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=container_id))


async def _remove_pod(cri: CriClient, pod_id: str, *, force: bool) -> None:
    status = await cri.call(cri.runtime.PodSandboxStatus, api.PodSandboxStatusRequest(pod_sandbox_id=pod_id))
    if status.status.state == api.SANDBOX_READY:
        if not force:
            raise FailedPrecondition(f"pod {pod_id[:13]} is running", hint="stop it first, or use -f")
        await stop_pod(cri, pod_id, GRACE_S)
    await cri.call(cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=pod_id))
