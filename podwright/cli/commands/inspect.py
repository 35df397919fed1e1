"""`podwright inspect`: everything that a runtime reports about one container, pod or image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from podwright.cli import lookup, options
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_inspection, print_data
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound

if TYPE_CHECKING:
    from podwright.cri.client import CriClient

KINDS = ("container", "pod", "image")


@click.command("inspect")
@click.argument("references", metavar="ID...", nargs=-1, required=True)
@options.kind_option(*KINDS)
@click.option("--output", "-o", type=click.Choice(options.PROGRAM_FORMS), default="json", show_default=True)
@pass_invocation
def command(invocation: Invocation, references: tuple[str, ...], kind: str | None, output: str) -> None:
    """Show details of a container, a pod or an image.

    ID is an id, the start of one, or a name. One ID prints one document, several print a list.
    """
    found = run_async(_inspect(invocation, references, kind))
    print_data(found[0] if len(found) == 1 else found, output)


async def _inspect(invocation: Invocation, references: tuple[str, ...], kind: str | None) -> list[dict[str, Any]]:
    async with connected(invocation) as cri:
        return [await _describe(cri, await _find(cri, reference, kind)) for reference in references]


async def _find(cri: CriClient, reference: str, kind: str | None) -> lookup.LookupCandidate:
    """The object that `reference` refers to. Raises NotFound and InvalidArgument."""
    candidates: list[lookup.LookupCandidate] = []
    if kind in (None, "container"):
        candidates += await lookup.container_candidates(cri)
    if kind in (None, "pod"):
        candidates += await lookup.pod_candidates(cri)
    try:
        if kind in (None, "image"):
            return lookup.choose(reference, candidates + await lookup.image_candidates(cri))
        return lookup.choose(reference, candidates)
    except NotFound:
        if kind in (None, "image"):  # the runtime resolves short references such as `busybox`
            return lookup.LookupCandidate(kind="image", id=await _image_id(cri, reference, kind))
        raise NotFound(f"no {kind} has the name {reference!r}, or an id that starts with it") from None


async def _image_id(cri: CriClient, reference: str, kind: str | None) -> str:
    response = await cri.call(cri.images.ImageStatus, api.ImageStatusRequest(image=api.ImageSpec(image=reference)))
    if not response.image.id:
        what = kind or "container, pod or image"
        raise NotFound(f"no {what} has the name {reference!r}, or an id that starts with it")
    return response.image.id


async def _describe(cri: CriClient, found: lookup.LookupCandidate) -> dict[str, Any]:
    if found.kind == "container":
        asked = api.ContainerStatusRequest(container_id=found.id, verbose=True)
        container = await cri.call(cri.runtime.ContainerStatus, asked)
        return as_inspection(container.status, container.info)
    if found.kind == "pod":
        request = api.PodSandboxStatusRequest(pod_sandbox_id=found.id, verbose=True)
        pod = await cri.call(cri.runtime.PodSandboxStatus, request)
        return as_inspection(pod.status, pod.info)
    spec = api.ImageSpec(image=found.id)
    image = await cri.call(cri.images.ImageStatus, api.ImageStatusRequest(image=spec, verbose=True))
    return as_inspection(image.image, image.info)
