"""`podwright rmi`: removes images."""

from __future__ import annotations

import click

from podwright.cli import lookup
from podwright.cli.connection import connected, run_async
from podwright.cli.each import for_each
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.v1 import api_pb2 as api


@click.command("rmi")
@click.argument("references", metavar="IMAGE...", nargs=-1, required=True)
@pass_invocation
def command(invocation: Invocation, references: tuple[str, ...]) -> None:
    """Remove images with all their names, and print their ids."""
    run_async(_remove(invocation, references))


async def _remove(invocation: Invocation, references: tuple[str, ...]) -> None:
    async with connected(invocation) as cri:

        async def remove_one(reference: str) -> str:
            image_id = await lookup.find_image(cri, reference)
            await cri.call(cri.images.RemoveImage, api.RemoveImageRequest(image=api.ImageSpec(image=image_id)))
            return image_id

        await for_each(references, remove_one)
