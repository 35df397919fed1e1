"""`podwright load`: loads images from an archive, or from an OCI layout directory, which is sent as one."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

import click

from podwright.api.client import image_store
from podwright.api.v1 import images_pb2 as api
from podwright.cli import oci_layout, own_api
from podwright.cli.connection import connected, run_async
from podwright.cli.files import doing, open_readable
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.errors import InvalidArgument

CHUNK_BYTES = 1 << 20
ARCHIVES = "name a docker-archive, an oci-archive, the directory of an OCI layout, or - for standard input"


@click.command("load")
@click.option("--name", default="", metavar="NAME", help="The name for the archive's only image.")
@click.argument("file", metavar="FILE|DIRECTORY|-")
@pass_invocation
def command(invocation: Invocation, name: str, file: str) -> None:
    """Load the images in FILE (- is standard input): a docker-archive or an oci-archive.

    The archive may be compressed with gzip, zstd, xz or bzip2. DIRECTORY is an OCI image layout.
    """
    response = run_async(_load(invocation, file, name))
    for image in response.images:
        for tag in image.names:
            click.echo(f"{tag}: {image.id}")


async def _load(invocation: Invocation, file: str, name: str) -> api.LoadImageResponse:
    with _pieces(file) as pieces:
        async with connected(invocation) as cri:
            response: api.LoadImageResponse = await own_api.upload(
                cri, image_store(cri).LoadImage, _requests(pieces, name)
            )
    return response


@contextlib.contextmanager
def _pieces(file: str) -> Iterator[Iterator[bytes]]:
    """The archive's bytes, to be read in threads. Raises InvalidArgument."""
    if os.path.isdir(file):
        with doing("read the OCI layout", file):
            oci_layout.check(file)
            with contextlib.closing(oci_layout.archived(file)) as pieces:
                yield pieces
        return
    with _opened(file) as archive, doing("read the archive", file):
        yield iter(functools.partial(archive.read, CHUNK_BYTES), b"")


def _opened(file: str) -> BinaryIO:
    if file == "-":
        if sys.stdin.isatty():
            raise InvalidArgument(
                "standard input is a terminal", hint="name a file, or redirect an archive to standard input"
            )
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    return open_readable("the archive", file, hint=ARCHIVES)


async def _requests(pieces: Iterator[bytes], name: str) -> AsyncIterator[api.LoadImageRequest]:
    yield api.LoadImageRequest(name=name)
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield api.LoadImageRequest(data=piece)
