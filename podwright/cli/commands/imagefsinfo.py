"""`podwright imagefsinfo`: the file systems of images and containers."""

from __future__ import annotations

import click

from podwright.cli import options, table
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.cri.v1 import api_pb2 as api

COLUMNS = ("HOLDS", "MOUNTPOINT", "USED", "FILES")


@click.command("imagefsinfo")
@options.output_option()
@pass_invocation
def command(invocation: Invocation, output: str | None) -> None:
    """Show the file systems of images and containers, and their usage. df shows each image."""
    response = run_async(_info(invocation))
    if output is not None:
        print_data(as_data(response), output)
        return
    rows = [
        (holds, usage.fs_id.mountpoint, table.size(usage.used_bytes.value), str(usage.inodes_used.value))
        for holds, usages in (
            ("images", response.image_filesystems),
            ("containers", response.container_filesystems),
        )
        for usage in usages
    ]
    click.echo(table.render(COLUMNS, rows), nl=False)


async def _info(invocation: Invocation) -> api.ImageFsInfoResponse:
    async with connected(invocation) as cri:
        return await cri.call(cri.images.ImageFsInfo, api.ImageFsInfoRequest())
