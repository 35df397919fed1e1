"""`podwright timeline`: the runtime's calls and where their time goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import click

from podwright.api.client import timeline
from podwright.api.v1 import timeline_pb2 as api
from podwright.cli import options, own_api, table
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.errors import NotFound

BAR_WIDTH = 32
ID_LENGTH = 64  # of sandboxes and containers; images use their names
LAST = 10  # calls, unless they are those of one object
SMALL = 0.02  # share of the call's time: shorter steps are left out


@click.command("timeline")
@click.argument("about", metavar="[NAME|ID|IMAGE]", required=False, default="")
@click.option(
    "--last", "-n", type=click.IntRange(min=1), help=f"The number of calls.  [default: {LAST}; of one object: all]"
)
@click.option("--slower", "slower_ms", type=float, default=0.0, metavar="MS", help="Only slower calls.")
@click.option("--running", is_flag=True, help="Only calls in progress.")
@click.option("--all", "everything", is_flag=True, help="Also show very short steps.")
@options.output_option()
@pass_invocation
def command(
    invocation: Invocation,
    about: str,
    last: int | None,
    slower_ms: float,
    running: bool,
    everything: bool,
    output: str | None,
) -> None:
    """Show the runtime's calls and where their time goes, for all or for one pod, container or image.

    NAME is a pod's or a container's, as in the list of pods or containers. POD/CONTAINER and NAMESPACE/POD work, too.
    Needs podwright serve.
    """
    found = run_async(_calls(invocation, about))
    if about and not found.calls:
        raise NotFound(
            f"the runtime has no calls about a pod, container or image {about!r}",
            hint="it keeps the newest calls since its start",
        )
    wanted = [
        call
        for call in found.calls
        if call.step.duration_ns >= slower_ms * 1e6 and (call.step.under_way or not running)
    ]
    wanted = wanted[-(last or (len(wanted) if about else LAST)) :]
    if output is not None:
        print_data(as_data(api.ListCallsResponse(calls=wanted)), output)
        return
    for call in wanted:
        for line in lines(call, everything=everything):
            click.echo(line)


async def _calls(invocation: Invocation, about: str) -> api.ListCallsResponse:
    async with connected(invocation) as cri:
        response: api.ListCallsResponse = await own_api.call(
            cri, timeline(cri).ListCalls, api.ListCallsRequest(id=about)
        )
    return response


def lines(call: api.Call, *, everything: bool) -> Iterator[str]:
    """One line for the call and one for each step: offset and duration in milliseconds, a bar, its name."""
    began = datetime.fromtimestamp(call.began_at / 1e9).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    ids = (table.short_id(one) if len(one) == ID_LENGTH else one for one in call.ids)
    about = " ".join(filter(None, (call.name_path, *ids)))
    yield f"{began}  {call.step.name}  {milliseconds(call.step.duration_ns)} ms  {about}".rstrip() + _ending(call.step)
    least_ns = 0 if everything else call.step.duration_ns * SMALL
    for depth, step in _steps(call.step, 0):
        if step.duration_ns >= least_ns or step.under_way or step.failure:
            yield (
                f"{milliseconds(step.offset_ns):>10} {milliseconds(step.duration_ns):>9}  "
                f"{bar(step, call.step.duration_ns)}  {'  ' * depth}{step.name}{_ending(step)}"
            )


def _steps(step: api.Step, depth: int) -> Iterator[tuple[int, api.Step]]:
    for inner in step.steps:
        yield depth, inner
        yield from _steps(inner, depth + 1)


def _ending(step: api.Step) -> str:
    if step.under_way:
        return "  (under way)"
    return f"  failed: {step.failure}" if step.failure else ""


def bar(step: api.Step, whole_ns: int) -> str:
    """The position of the step within its call, as a bar."""
    per_cell = max(whole_ns, 1) / BAR_WIDTH
    begin = min(int(step.offset_ns / per_cell), BAR_WIDTH - 1)
    end = min(max(round((step.offset_ns + step.duration_ns) / per_cell), begin + 1), BAR_WIDTH)
    return "·" * begin + "█" * (end - begin) + "·" * (BAR_WIDTH - end)


def milliseconds(duration_ns: int) -> str:
    """With one decimal place, or none for a long time."""
    return f"{duration_ns / 1e6:.1f}" if duration_ns < 10_000_000_000 else f"{duration_ns / 1e6:.0f}"
