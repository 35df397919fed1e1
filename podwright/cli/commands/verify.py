"""`podwright images verify`: checks the stored data of images."""

from __future__ import annotations

import click

from podwright.api.client import image_store
from podwright.api.v1 import images_pb2 as api
from podwright.cli import own_api
from podwright.cli.connection import connected, run_async
from podwright.cli.failures import FAILURE, Leave
from podwright.cli.invocation import Invocation, pass_invocation


@click.command("verify")
@click.option("--repair", is_flag=True, help="Fetch damaged blobs and unpack damaged layers again.")
@click.argument("references", metavar="[IMAGE...]", nargs=-1)
@pass_invocation
def command(invocation: Invocation, repair: bool, references: tuple[str, ...]) -> None:
    """Compare every blob with its digest and every unpacked layer with its blob, for all or these images.

    The exit code is 1 if damage remains.
    """
    request = api.VerifyImagesRequest(images=references, repair=repair)
    summary = run_async(_verify(invocation, request))
    click.echo(_summary_line(summary), err=True)
    if summary.damaged > summary.repaired:
        raise Leave(FAILURE)


async def _verify(invocation: Invocation, request: api.VerifyImagesRequest) -> api.VerifySummary:
    summary = api.VerifySummary()
    async with connected(invocation) as cri:
        async for response in own_api.stream(cri, image_store(cri).VerifyImages, request):
            if response.HasField("summary"):
                summary = response.summary
            else:
                click.echo(_damage_line(response.damage))
    return summary


def _damage_line(damage: api.Damage) -> str:
    end = f": not repaired: {damage.obstacle}" if damage.obstacle else ": repaired" if damage.repaired else ""
    return f"{damage.subject} ({', '.join(damage.images)}): {damage.problem}{end}"


def _summary_line(summary: api.VerifySummary) -> str:
    line = f"{summary.images} images, {summary.blobs} blobs, {summary.layers} layers: {summary.damaged} damaged"
    if summary.repaired:
        line += f", {summary.repaired} repaired"
    if summary.unchecked_layers:
        line += f"; {summary.unchecked_layers} layers could not be compared with their blobs"
    return line
