"""`podwright pulls`: shows all pulls in progress."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, TextIO

import click

from podwright.api.client import pulls
from podwright.api.pull_state import ENDED, PullMeter, PullState
from podwright.api.pulls import states
from podwright.api.v1 import pulls_pb2 as api
from podwright.cli import options, own_api, table
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.cli.pull_display import Tell, make_bars, move_bar, plain_lines, start_bar
from podwright.errors import InvalidArgument

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from podwright.cri.client import CriClient

COLUMNS = ("IMAGE", "STAGE", "DOWNLOADED", "SIZE", "LAYERS", "AGE")


@click.command("pulls")
@click.argument("reference", required=False, default="")
@click.option("--watch", "-w", is_flag=True, help="Keep showing them until interrupted.")
@options.output_option()
@pass_invocation
def command(invocation: Invocation, reference: str, watch: bool, output: str | None) -> None:
    """Show all pulls in progress, or only those of REFERENCE. Needs podwright serve."""
    if watch and output is not None:
        raise InvalidArgument("--watch does not support -o")
    run_async(_watch(invocation, reference) if watch else _show(invocation, reference, output))


async def _show(invocation: Invocation, reference: str, output: str | None) -> None:
    async with connected(invocation) as cri, contextlib.aclosing(_looks(cri, reference)) as looks:
        look = await anext(looks)
    if output is not None:
        print_data(as_data(look), output)
        return
    now = time.time_ns()
    found = [PullMeter().state(pull, 0.0) for pull in look.pulls]
    click.echo(table.render(COLUMNS, [_row(state, now) for state in found]), nl=False)


async def _watch(invocation: Invocation, reference: str) -> None:
    async with connected(invocation) as cri, contextlib.aclosing(_looks(cri, reference)) as looks:
        with _display(sys.stdout) as show:
            async for current in states(looks):
                for state in current:
                    show(state)


def _looks(cri: CriClient, reference: str) -> AsyncGenerator[api.WatchPullsResponse, None]:
    return own_api.stream(cri, pulls(cri).WatchPulls, api.WatchPullsRequest(image=reference))


def _row(state: PullState, now_ns: int) -> tuple[str, ...]:
    if not state.layers:
        return state.reference, state.stage, "-", "-", "-", table.age(state.began_at, now_ns)
    return (
        state.reference,
        state.stage,
        table.size(state.done_bytes),
        table.size(state.total_bytes),
        f"{state.layers_done}/{state.layers}",
        table.age(state.began_at, now_ns),
    )


@contextlib.contextmanager
def _display(stream: TextIO) -> Iterator[Tell]:
    """Bars on a terminal, lines elsewhere. Both show the end of each pull as a line."""
    if not stream.isatty():
        yield _Lines(plain_lines(stream)).show
        return
    from rich.console import Console  # noqa: PLC0415 # 80 ms to import, for terminals only

    with make_bars(Console(file=stream)) as bars:
        yield _Bars(bars).show


class _Lines:
    """Shows pulls as lines."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._known: set[tuple[str, int]] = set()

    def show(self, state: PullState) -> None:
        """Print the beginning, the end, and progress from time to time."""
        if state.stage in ENDED:
            self._known.discard(state.key)
            click.echo(ending(state))
            return
        if state.key not in self._known:
            self._known.add(state.key)
            click.echo(f"pulling {state.reference}")
        self._tell(state)


class _Bars:
    """Shows pulls as moving lines, one each."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[tuple[str, int], TaskID] = {}

    def show(self, state: PullState) -> None:
        """Move the pull's line, or remove it at the end."""
        if state.stage in ENDED:
            if (task := self._tasks.pop(state.key, None)) is not None:
                self._bars.remove_task(task)
            self._bars.console.print(ending(state), markup=False, highlight=False, soft_wrap=True)
            return
        if state.key not in self._tasks:
            self._tasks[state.key] = start_bar(self._bars, state.reference)
        move_bar(self._bars, self._tasks[state.key], state)


def ending(state: PullState) -> str:
    """The line for a pull that has ended."""
    if state.error:
        return f"pull failed: {state.reference}: {state.error}"
    return f"pulled {state.reference} ({table.size(state.total_bytes)})"
