"""`podwright bench`: how fast an endpoint starts pods."""

from __future__ import annotations

import click

from podwright.bench.options import BenchOptions
from podwright.bench.report import as_json, as_text
from podwright.bench.run import run_bench
from podwright.cli.connection import check_listening, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.endpoint import normalise

DEFAULTS = BenchOptions(endpoints=())


@click.command("bench")
@click.option(
    "--endpoint", "-e", "endpoints", multiple=True, metavar="URL", help="Endpoint; repeat to compare several."
)
@click.option("--pods", "-n", default=DEFAULTS.pods, show_default=True, help="Pods to measure, per concurrency.")
@click.option(
    "--concurrency", "-c", "concurrencies", multiple=True, type=click.IntRange(min=1), default=DEFAULTS.concurrencies,
    show_default=True, help="Pods to start at once; repeat for several rounds.",
)  # fmt: skip
@click.option("--image", default=DEFAULTS.image, show_default=True, help="An image with sh and sleep.")
@click.option("--warmup", default=DEFAULTS.warmup, show_default=True, help="Pods before each round, not counted.")
@click.option("--handler", default="", help="The endpoint's runtime handler.")
@click.option("--cgroup-parent", default="", metavar="PATH", help="The pods' cgroup parent.")
@click.option("--output", "-o", type=click.Choice(("json", "table")), default="table", show_default=True)
@pass_invocation
def command(  # noqa: PLR0913, PLR0917 # one argument per option is click's way
    invocation: Invocation,
    endpoints: tuple[str, ...],
    pods: int,
    concurrencies: tuple[int, ...],
    image: str,
    warmup: int,
    handler: str,
    cgroup_parent: str,
    output: str,
) -> None:
    """Measure how fast an endpoint starts pods, and what they cost in memory.

    Pods are made, asked for a command, and removed again, also on Ctrl-C. Times are those of the CRI calls, as the
    kubelet would see them. Memory (of processes of this machine, as root) is PSS.
    """
    chosen = tuple(normalise(each) for each in endpoints) or (invocation.chosen_endpoint(),)
    for endpoint in chosen:
        check_listening(endpoint)
    options = BenchOptions(
        endpoints=chosen,
        pods=pods,
        concurrencies=concurrencies,
        image=image,
        warmup=warmup,
        handler=handler,
        cgroup_parent=cgroup_parent,
    )
    report = run_async(run_bench(options, tell=lambda text: click.echo(text, err=True)))
    click.echo(as_json(report) if output == "json" else as_text(report), nl=False)
