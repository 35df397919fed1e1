"""What a pull looks like while it lasts: a moving line with the time gone, or a bar when sizes are known.

CRI has no progress channel, so today nobody calls `advance`; whoever learns of bytes (our own daemon, one day)
calls it and the line becomes a bar. On something that is no terminal only the beginning and the end are told.
rich is imported when a terminal wants it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from podwright.cli.table import size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """How far a pull is; `total_bytes` None means not known yet."""

    done_bytes: int
    total_bytes: int | None = None


class PullDisplay(Protocol):
    """Where a pull is shown."""

    def advance(self, progress: PullProgress) -> None:
        """Bytes have arrived."""


class PlainPull:
    """Shows nothing between the beginning and the end."""

    def advance(self, progress: PullProgress) -> None:
        """See PullDisplay."""


class BarPull:
    """One line of a rich progress display."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def advance(self, progress: PullProgress) -> None:
        """See PullDisplay."""
        shown = size(progress.done_bytes)
        if progress.total_bytes is not None:
            shown += f" of {size(progress.total_bytes)}"
        self._bars.update(
            self._task, completed=progress.done_bytes, total=progress.total_bytes, amount=shown, refresh=False
        )


def make_bars(console: Console) -> Progress:
    """A progress display for pulls; it vanishes when it is stopped."""
    from rich import progress  # noqa: PLC0415 # 80 ms to import, for terminals only

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("pulling {task.description}", markup=False),
        progress.BarColumn(bar_width=24),
        progress.TextColumn("{task.fields[amount]}", markup=False),
        progress.TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def start_bar(bars: Progress, image: str) -> TaskID:
    """Add a line for `image`, moving without an end until sizes are known."""
    return bars.add_task(image, total=None, amount="")


@contextlib.contextmanager
def shown_pull(image: str, stream: TextIO) -> Iterator[PullDisplay]:
    """Show one pull on `stream` (stderr, so that stdout stays for the result) while the block runs."""
    if not stream.isatty():
        stream.write(f"pulling {image}\n")
        stream.flush()
        yield PlainPull()
        return
    from rich.console import Console  # noqa: PLC0415 # 80 ms to import, for terminals only

    with make_bars(Console(file=stream)) as bars:
        yield BarPull(bars, start_bar(bars, image))


@contextlib.contextmanager
def timed() -> Iterator[list[float]]:
    """Measure a block: the list has one number, the seconds it took, afterwards."""
    taken: list[float] = []
    started = time.monotonic()
    try:
        yield taken
    finally:
        taken.append(time.monotonic() - started)
