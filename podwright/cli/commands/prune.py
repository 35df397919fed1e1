"""`podwright prune`: removes images that no container uses."""

from __future__ import annotations

import click

from podwright.api.client import image_store
from podwright.api.v1 import images_pb2 as api
from podwright.cli import own_api, table
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation


@click.command("prune")
@click.option("--all", "-a", "everything", is_flag=True, help="Also remove images with a tag.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, but remove nothing.")
@pass_invocation
def command(invocation: Invocation, everything: bool, dry_run: bool) -> None:
    """Remove images without a tag that no container uses. Pinned images stay."""
    request = api.PruneImagesRequest(all=everything, dry_run=dry_run)
    response = run_async(_prune(invocation, request))
    for image in response.images:
        click.echo(f"{image.id}  {', '.join(image.names) or '<none>'}")
    verb = "would free" if dry_run else "freed"
    click.echo(f"{verb} {table.size(response.freed_bytes)}", err=True)


async def _prune(invocation: Invocation, request: api.PruneImagesRequest) -> api.PruneImagesResponse:
    async with connected(invocation) as cri:
        response: api.PruneImagesResponse = await own_api.call(cri, image_store(cri).PruneImages, request)
    return response
