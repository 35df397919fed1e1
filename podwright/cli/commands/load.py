"""`podwright load`: images from an archive."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import BinaryIO

import click

from podwright.api.client import image_store
from podwright.api.v1 import images_pb2 as api
from podwright.cli import own_api
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.errors import InvalidArgument

CHUNK_BYTES = 1 << 20


@click.command("load")
@click.option("--name", default="", metavar="NAME", help="What to call the archive's only image.")
@click.argument("file", metavar="FILE|-")
@pass_invocation
def command(invocation: Invocation, name: str, file: str) -> None:
    """Bring the images of FILE (- is standard input): a docker-archive or an oci-archive, also compressed."""
    response = run_async(_load(invocation, file, name))
    for image in response.images:
        for tag in image.names:
            click.echo(f"{tag}: {image.id}")


async def _load(invocation: Invocation, file: str, name: str) -> api.LoadImageResponse:
    with _opened(file) as archive:
        async with connected(invocation) as cri:
            response: api.LoadImageResponse = await own_api.upload(
                cri, image_store(cri).LoadImage, _requests(archive, name)
            )
    return response


def _opened(file: str) -> BinaryIO:
    """Raises InvalidArgument and OSError."""
    if file == "-":
        if sys.stdin.isatty():
            raise InvalidArgument("standard input is a terminal", hint="give a file, or lead an archive in")
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    return open(file, "rb", buffering=0)


async def _requests(archive: BinaryIO, name: str) -> AsyncIterator[api.LoadImageRequest]:
    yield api.LoadImageRequest(name=name)
    while chunk := await asyncio.to_thread(archive.read, CHUNK_BYTES):
        yield api.LoadImageRequest(data=chunk)
