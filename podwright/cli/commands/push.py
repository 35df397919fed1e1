"""`podwright push`: pushes an image to a registry."""

from __future__ import annotations

import sys

import click

from podwright.api.client import image_store
from podwright.api.v1 import images_pb2 as api
from podwright.cli import own_api, table
from podwright.cli.commands.pull import STDIN_LIMIT_CHARACTERS
from podwright.cli.connection import connected, run_async
from podwright.cli.credentials import CREDENTIALS_VARIABLE, RegistryLogin, find_login, parse_pair
from podwright.cli.invocation import Invocation, pass_invocation


@click.command(
    "push", epilog=f"Credentials: --creds-stdin, then ${CREDENTIALS_VARIABLE}, then docker's and podman's logins."
)
@click.option("--creds-stdin", is_flag=True, help="Read user:password from standard input.")
@click.argument("reference")
@click.argument("destination", required=False, default="")
@pass_invocation
def command(invocation: Invocation, creds_stdin: bool, reference: str, destination: str) -> None:
    """Push the image REFERENCE to DESTINATION, or to the registry in its name.

    Of a multi-platform image, only this machine's platform is pushed.
    """
    request = api.PushImageRequest(image=reference, destination=destination)
    if creds_stdin:
        login: RegistryLogin | None = parse_pair(sys.stdin.read(STDIN_LIMIT_CHARACTERS), "standard input")
    else:
        login = find_login(destination or reference)
    if login is not None:
        request.credentials.username = login.username
        request.credentials.password = login.password
        request.credentials.identity_token = login.identity_token
    pushed = run_async(_push(invocation, request))
    click.echo(f"{pushed.reference}@{pushed.digest}")
    click.echo(_summary(pushed), err=True)


async def _push(invocation: Invocation, request: api.PushImageRequest) -> api.PushImageResponse:
    async with connected(invocation) as cri:
        response: api.PushImageResponse = await own_api.call(cri, image_store(cri).PushImage, request)
    return response


def _summary(pushed: api.PushImageResponse) -> str:
    parts = [f"{pushed.uploaded_blobs} blobs uploaded ({table.size(pushed.uploaded_bytes)})"]
    if pushed.mounted_blobs:
        parts.append(f"{pushed.mounted_blobs} taken over from another repository")
    if pushed.present_blobs:
        parts.append(f"{pushed.present_blobs} were there")
    return ", ".join(parts)
