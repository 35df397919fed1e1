"""`podwright images`: lists images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from podwright.cli import options, table
from podwright.cli.commands import verify
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.cri.v1 import api_pb2 as api

COLUMNS = ("IMAGE", "TAG", "IMAGE ID", "SIZE")
WIDE_COLUMNS = ("IMAGE", "TAG", "DIGEST", "IMAGE ID", "SIZE", "PINNED")
NONE = "<none>"


class WithVerify(click.Command):
    """A command that takes a reference, or `verify` with its own arguments."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["verify"]:
            return verify.command.make_context(f"{info_name} verify", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("images", cls=WithVerify)
@click.argument("reference", required=False)
@options.output_option(wide=True)
@options.quiet_option("images")
@options.whole_ids_option
@pass_invocation
def command(invocation: Invocation, reference: str | None, output: str | None, quiet: bool, no_trunc: bool) -> None:
    """List images, or only REFERENCE. `images verify` checks their stored data."""
    found = run_async(_list(invocation, reference))
    images = sorted(found, key=lambda image: [*image.repo_tags, *image.repo_digests, image.id])
    if output in options.PROGRAM_FORMS:
        print_data(as_data(api.ListImagesResponse(images=images)), output)
    elif quiet:
        click.echo("".join(f"{image.id}\n" for image in images), nl=False)
    else:
        wide = output == "wide"
        rows = [row for image in images for row in _rows(image, wide=wide, whole=no_trunc)]
        click.echo(table.render(WIDE_COLUMNS if wide else COLUMNS, rows), nl=False)


async def _list(invocation: Invocation, reference: str | None) -> list[api.Image]:
    """All images, or those with the name `reference`. Some runtimes ignore the filter of ListImages."""
    async with connected(invocation) as cri:
        listed = await cri.call(cri.images.ListImages, api.ListImagesRequest())
        if reference is None:
            return list(listed.images)
        spec = api.ImageSpec(image=reference)
        wanted = await cri.call(cri.images.ImageStatus, api.ImageStatusRequest(image=spec))
    return [image for image in listed.images if image.id == wanted.image.id]


def _rows(image: api.Image, *, wide: bool, whole: bool) -> Iterator[tuple[str, ...]]:
    """One row per tag. An image without tags has one row."""
    identity, size = table.short_id(image.id, whole=whole), table.size(image.size)
    digests = dict(reference.partition("@")[::2] for reference in image.repo_digests)
    for name, tag in _names(image, list(digests)):
        if wide:
            digest = digests.get(name, NONE)
            yield name, tag, table.short_id(digest, whole=whole), identity, size, "yes" if image.pinned else "no"
        else:
            yield name, tag, identity, size


def _names(image: api.Image, repositories: list[str]) -> list[tuple[str, str]]:
    """(repository, tag) pairs. A colon before the last slash belongs to a port, not to a tag."""
    if image.repo_tags:
        return [(name, tag) for name, _, tag in (each.rpartition(":") for each in image.repo_tags)]
    return [(name, NONE) for name in repositories] or [(NONE, NONE)]
