"""`podwright update`: changes the limits of running containers."""

from __future__ import annotations

import click

from podwright.cli import lookup
from podwright.cli.connection import connected, run_async
from podwright.cli.each import for_each
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.v1 import api_pb2 as api


@click.command("update")
@click.option("--cpu-period", type=int, default=0, metavar="US", help="CFS period in microseconds.")
@click.option("--cpu-quota", type=int, default=0, metavar="US", help="CPU time per period. -1: no limit.")
@click.option("--cpu-share", type=int, default=0, metavar="N", help="CPU weight relative to other containers.")
@click.option("--memory", type=int, default=0, metavar="BYTES", help="Memory limit. -1: none.")
@click.option("--memory-swap", type=int, default=0, metavar="BYTES", help="Limit of memory and swap. -1: none.")
@click.option("--cpuset-cpus", default="", metavar="LIST", help="The CPUs to use: 0-2,4.")
@click.option("--cpuset-mems", default="", metavar="LIST", help="The memory nodes to use.")
@click.option(
    "--oom-score-adj", type=click.IntRange(-1000, 1000), default=0, metavar="N", help="The OOM killer's score."
)
@click.argument("references", metavar="CONTAINER...", nargs=-1, required=True)
@pass_invocation
def command(  # noqa: PLR0913, PLR0917 # one argument per option is click's way
    invocation: Invocation,
    cpu_period: int,
    cpu_quota: int,
    cpu_share: int,
    memory: int,
    memory_swap: int,
    cpuset_cpus: str,
    cpuset_mems: str,
    oom_score_adj: int,
    references: tuple[str, ...],
) -> None:
    """Change the limits of containers and print their ids. An absent or 0 value changes nothing."""
    limits = api.LinuxContainerResources(
        cpu_period=cpu_period,
        cpu_quota=cpu_quota,
        cpu_shares=cpu_share,
        memory_limit_in_bytes=memory,
        memory_swap_limit_in_bytes=memory_swap,
        cpuset_cpus=cpuset_cpus,
        cpuset_mems=cpuset_mems,
        oom_score_adj=oom_score_adj,
    )
    if limits == api.LinuxContainerResources():
        raise click.UsageError("set at least one limit")
    run_async(_update(invocation, references, limits))


async def _update(invocation: Invocation, references: tuple[str, ...], limits: api.LinuxContainerResources) -> None:
    async with connected(invocation) as cri:

        async def update_one(reference: str) -> str:
            container_id = await lookup.find_container(cri, reference)
            request = api.UpdateContainerResourcesRequest(container_id=container_id, linux=limits)
            await cri.call(cri.runtime.UpdateContainerResources, request)
            return container_id

        await for_each(references, update_one)
