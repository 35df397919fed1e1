"""`podwright pull`: pulls an image from its registry."""

from __future__ import annotations

import sys

import click

from podwright.cli import options, table
from podwright.cli.connection import connected, run_async
from podwright.cli.credentials import CREDENTIALS_VARIABLE, RegistryLogin, parse_pair
from podwright.cli.image_pull import pull
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.cli.pull_display import timed
from podwright.cri.v1 import api_pb2 as api

STDIN_LIMIT_CHARACTERS = 64 * 1024


@click.command(
    "pull", epilog=f"Credentials: --creds-stdin, then ${CREDENTIALS_VARIABLE}, then docker's and podman's logins."
)
@click.option("--creds-stdin", is_flag=True, help="Read user:password from standard input.")
@options.output_option()
@options.quiet_option("image")
@click.argument("reference")
@pass_invocation
def command(invocation: Invocation, creds_stdin: bool, output: str | None, quiet: bool, reference: str) -> None:
    """Pull the image REFERENCE from its registry."""
    login = parse_pair(sys.stdin.read(STDIN_LIMIT_CHARACTERS), "standard input") if creds_stdin else None
    with timed() as taken:
        response, image = run_async(_pull(invocation, reference, login, silent=quiet))
    if output is not None:
        print_data(as_data(response), output)
    elif quiet:
        click.echo(image.id or response.image_ref)
    else:
        facts = [f"{taken[0]:.1f} s", *([table.size(image.size)] if image.size else [])]
        click.echo(f"{reference}: {image.id or response.image_ref} ({', '.join(facts)})")


async def _pull(
    invocation: Invocation, reference: str, login: RegistryLogin | None, *, silent: bool
) -> tuple[api.PullImageResponse, api.Image]:
    """The response, and the image's current description in the runtime."""
    async with connected(invocation) as cri:
        response = await pull(cri, reference, login=login, shown_on=None if silent else sys.stderr)
        spec = api.ImageSpec(image=response.image_ref)
        status = await cri.call(cri.images.ImageStatus, api.ImageStatusRequest(image=spec))
    return response, status.image
