"""`podwright save`: saves images to an archive."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from typing import BinaryIO

import click

from podwright.api.client import image_store
from podwright.api.v1 import images_pb2 as api
from podwright.cli import own_api
from podwright.cli.connection import connected, run_async
from podwright.cli.files import doing
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.errors import InvalidArgument

FORMATS = {"oci-archive": api.OCI_ARCHIVE, "docker-archive": api.DOCKER_ARCHIVE}


@click.command("save")
@click.option(
    "--output", "-o", "file", required=True, metavar="FILE|-", help="The archive to write. - is standard output."
)
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="oci-archive", show_default=True)
@click.argument("references", metavar="IMAGE...", nargs=-1, required=True)
@pass_invocation
def command(invocation: Invocation, file: str, form: str, references: tuple[str, ...]) -> None:
    """Save images to one archive."""
    request = api.SaveImageRequest(images=references, format=FORMATS[form])
    run_async(_save(invocation, request, file))


async def _save(invocation: Invocation, request: api.SaveImageRequest, file: str) -> None:
    async with connected(invocation) as cri:
        with _target(file) as archive:
            async for response in own_api.stream(cri, image_store(cri).SaveImage, request):
                archive.write(response.data)


@contextlib.contextmanager
def _target(file: str) -> Iterator[BinaryIO]:
    """The output file, which appears when it is complete. Raises InvalidArgument."""
    if file == "-":
        if sys.stdout.isatty():
            raise InvalidArgument("standard output is a terminal", hint="name a file, or redirect standard output")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with doing("write the archive", file, hint="choose another file with --output"):
        if os.path.exists(file) and not os.path.isfile(file):  # a pipe or a device
            with open(file, "wb") as archive:
                yield archive
            return
        temporary = f"{file}.{secrets.token_hex(4)}.part"
        try:
            with open(temporary, "xb") as archive:
                yield archive
            os.rename(temporary, file)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
