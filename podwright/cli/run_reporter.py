"""The output of `podwright run` on a terminal: moving lines for pulls, states, and log lines in colours.

Implements `podwright.agent.run.reporter.Reporter` with rich. Without a terminal there are plain lines. `shown_run`
decides.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.text import Text

from podwright.agent.run.reporter import ContainerChange, LogLine, PlainReporter, PodPhase, Reporter, describe
from podwright.api.pull_state import PullState
from podwright.cli.pull_display import make_bars, move_bar, start_bar
from podwright.cli.table import size

COLOURS = ("cyan", "magenta", "yellow", "blue", "green", "bright_red")
PHASE_STYLES = {
    "waiting": "dim",
    "created": "dim",
    "running": "green",
    "ready": "green",
    "not ready": "yellow",
    "exited": "bold",
}
BAD_POD_PHASES = ("Failed",)


class TerminalReporter:
    """A Reporter for terminals. Everything uses one console, so that moving lines stay below printed ones."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._styles: dict[str, str] = {}

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True, highlight=False)

    def _style(self, container: str) -> str:
        """The colour of a container's label. Each new container gets the next one."""
        return self._styles.setdefault(container, COLOURS[len(self._styles) % len(COLOURS)])

    def info(self, message: str) -> None:
        self._print(Text(message))

    def warning(self, message: str) -> None:
        self._print(Text.assemble(("warning: ", "bold yellow"), message))

    def error(self, message: str) -> None:
        self._print(Text.assemble(("error: ", "bold red"), message))

    def pull_started(self, image: str) -> None:
        if self._bars is None:
            self._bars = make_bars(self._console)
            self._bars.start()
        self._tasks[image] = start_bar(self._bars, image)

    def pull_progress(self, image: str, state: PullState) -> None:
        task = self._tasks.get(image)
        if self._bars is not None and task is not None:
            move_bar(self._bars, task, state)

    def pull_finished(self, image: str, *, elapsed_s: float, size_bytes: int, error: str = "") -> None:
        task = self._tasks.pop(image, None)
        if self._bars is not None and task is not None:
            self._bars.remove_task(task)
            if not self._tasks:
                self._bars.stop()
                self._bars = None
        if error:
            self._print(Text.assemble(("pull failed: ", "bold red"), f"{image} after {elapsed_s:.1f} s"))
            return
        facts = f" in {elapsed_s:.1f} s" + (f", {size(size_bytes)}" if size_bytes else "")
        self._print(Text.assemble(("pulled ", "green"), image, (facts, "dim")))

    def pod(self, name: str, phase: PodPhase, message: str = "") -> None:
        style = "bold red" if phase in BAD_POD_PHASES else "bold"
        self._print(Text.assemble("pod ", (name, "bold"), ": ", (phase, style), f" ({message})" if message else ""))

    def container(self, change: ContainerChange) -> None:
        failed = change.phase == "exited" and change.exit_code != 0
        line = Text(describe(change), style="red" if failed else PHASE_STYLES.get(change.phase, ""))
        line.highlight_words([change.label], style=self._style(change.label))
        self._print(line)

    def log(self, line: LogLine) -> None:
        prefix = (f"{line.label} │ ", self._style(line.label))
        # The text stays as the container wrote it, with its own colours and without interpreting rich's markup.
        body = Text.from_ansi(line.text) if "\x1b" in line.text else Text(line.text)
        self._print(Text.assemble(prefix, body))

    def close(self) -> None:
        """Remove moving lines from the screen, also after an interrupted pull."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


@contextlib.contextmanager
def shown_run() -> Iterator[Reporter]:
    """The reporter for this process's streams. Restores the terminal afterwards."""
    reporter = choose_reporter()
    try:
        yield reporter
    finally:
        if isinstance(reporter, TerminalReporter):
            reporter.close()


def choose_reporter(out: TextIO | None = None, err: TextIO | None = None) -> Reporter:
    """Colours for a terminal. Plain lines if either stream is redirected."""
    out, err = out or sys.stdout, err or sys.stderr
    if out.isatty() and err.isatty():
        return TerminalReporter(Console(file=out))
    return PlainReporter(out=out, err=err)
