"""`podwright df`: disk usage of images and containers."""

from __future__ import annotations

import click

from podwright.api.client import image_store
from podwright.api.v1 import images_pb2 as api
from podwright.cli import options, own_api, table
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data

IMAGE_COLUMNS = ("IMAGE", "IMAGE ID", "SIZE", "SHARED", "UNIQUE", "CONTAINERS", "PINNED")
CONTAINER_COLUMNS = ("CONTAINER", "NAME", "IMAGE ID", "WRITTEN")


@click.command("df")
@options.output_option()
@options.whole_ids_option
@pass_invocation
def command(invocation: Invocation, output: str | None, no_trunc: bool) -> None:
    """Show the disk usage of images and containers, and what prune would free."""
    usage = run_async(_usage(invocation))
    if output is not None:
        print_data(as_data(usage), output)
        return
    rows = [_image_row(image, whole=no_trunc) for image in usage.images]
    click.echo(table.render(IMAGE_COLUMNS, rows))
    if usage.containers:
        written = [_container_row(container, whole=no_trunc) for container in usage.containers]
        click.echo(table.render(CONTAINER_COLUMNS, written))
    click.echo("".join(f"{label:<22}{table.size(value)}\n" for label, value in _totals(usage)), nl=False)


async def _usage(invocation: Invocation) -> api.DiskUsageResponse:
    async with connected(invocation) as cri:
        usage: api.DiskUsageResponse = await own_api.call(cri, image_store(cri).DiskUsage, api.DiskUsageRequest())
    return usage


def _image_row(image: api.ImageUsage, *, whole: bool) -> tuple[str, ...]:
    name = ", ".join(image.names) or "<none>"
    sizes = (image.size_bytes, image.shared_bytes, image.size_bytes - image.shared_bytes)
    pinned = "yes" if image.pinned else "no"
    return (name, table.short_id(image.id, whole=whole), *map(table.size, sizes), str(image.containers), pinned)


def _container_row(container: api.ContainerUsage, *, whole: bool) -> tuple[str, ...]:
    ids = (table.short_id(each, whole=whole) for each in (container.id, container.image_id))
    identity, image = ids
    return identity, container.name, image, table.size(container.writable_bytes)


def _totals(usage: api.DiskUsageResponse) -> list[tuple[str, int]]:
    return [
        ("compressed", usage.blob_bytes),
        ("unpacked", usage.layer_bytes),
        ("written by containers", sum(container.writable_bytes for container in usage.containers)),
        ("prune frees", usage.prunable_untagged_bytes),
        ("prune --all frees", usage.prunable_bytes),
    ]
