"""Progress of a pull.

If the runtime reports it (only ours does), a bar shows bytes, layers and rate. Otherwise a moving line shows the
time. Without a terminal, lines appear at the beginning and from time to time. rich is imported for terminals only.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from podwright.api.pull_state import PullState, Seldom, describe_pull
from podwright.cli.table import size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PLAIN_INTERVAL_S = 10.0
WIDE_COLUMNS = 120
BAR_COLUMNS = 24  # half of it on narrow terminals
BESIDE_COLUMNS = 53  # the spinner, 40 for the amount, the time, and the space between
LABEL_COLUMNS = 12  # at least

Tell = Callable[[PullState], None]


def make_bars(console: Console) -> Progress:
    """A progress display for pulls, which disappears when it is stopped."""
    from rich import progress  # noqa: PLC0415 # 80 ms to import, for terminals only

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=BAR_COLUMNS if console.width >= WIDE_COLUMNS else BAR_COLUMNS // 2),
        progress.TextColumn("{task.fields[amount]}", markup=False),
        progress.TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def start_bar(bars: Progress, image: str) -> TaskID:
    """Add a line for `image` without an end, until sizes are known."""
    return bars.add_task(f"pulling {image}", total=None, amount="")


def label(image: str, columns: int) -> str:
    """The label of a line. A long name is shortened to its end, which has the image's own name."""
    if columns >= WIDE_COLUMNS:
        label, room = f"pulling {image}", columns - BESIDE_COLUMNS - BAR_COLUMNS
    else:
        label, room = image, max(LABEL_COLUMNS, columns - BESIDE_COLUMNS - BAR_COLUMNS // 2)
    return label if len(label) <= room else f"…{image[1 - room :]}"


def move_bar(bars: Progress, task: TaskID, state: PullState) -> None:
    """Move a line to the pull's state. The next refresh draws it."""
    bars.update(
        task,
        description=label(state.reference, bars.console.width),
        completed=state.done_bytes,
        total=state.total_bytes or None,
        amount=amount(state),
        refresh=False,
    )


def amount(state: PullState) -> str:
    """The text beside the bar: `12.5MB of 30MB 4.1MB/s 2/5 layers`, or the stage while it is not downloading."""
    if not state.layers:
        return state.stage
    parts = [f"{size(state.done_bytes)} of {size(state.total_bytes)}"]
    if state.stage != "downloading":
        parts.append(state.stage)
    elif state.rate_bytes_s:
        parts.append(f"{size(int(state.rate_bytes_s))}/s")
    return "  ".join([*parts, f"{state.layers_done}/{state.layers} layers"])


@contextlib.contextmanager
def shown_pull(image: str, stream: TextIO) -> Iterator[Tell]:
    """Show one pull on `stream` during the block (stderr, because stdout is for the result)."""
    if not stream.isatty():
        _write(stream, f"pulling {image}")
        yield plain_lines(stream)
        return
    from rich.console import Console  # noqa: PLC0415 # 80 ms to import, for terminals only

    with make_bars(Console(file=stream)) as bars:
        task = start_bar(bars, image)
        yield lambda state: move_bar(bars, task, state)


def plain_lines(stream: TextIO) -> Tell:
    """Print a line from time to time for long pulls."""
    lately = Seldom(PLAIN_INTERVAL_S)

    def tell(state: PullState) -> None:
        if lately.is_due(state.reference):
            _write(stream, f"pulling {state.reference}: {describe_pull(state)}")

    return tell


def _write(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()


@contextlib.contextmanager
def timed() -> Iterator[list[float]]:
    """Measure a block. Afterwards the list has one number, the seconds."""
    taken: list[float] = []
    started = time.monotonic()
    try:
        yield taken
    finally:
        taken.append(time.monotonic() - started)
