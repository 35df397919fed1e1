"""What a run looks like."""

from __future__ import annotations

import io
import time

from rich.console import Console

from podwright.agent.run.reporter import ContainerChange, LogLine, PlainReporter
from podwright.api.pull_state import PullState
from podwright.cli.run_reporter import TerminalReporter, choose_reporter
from podwright.conformance.patience import patient


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def reporter_on(stream: io.StringIO, *, colour: bool = False) -> TerminalReporter:
    return TerminalReporter(
        Console(file=stream, force_terminal=colour, width=40, color_system="standard" if colour else None)
    )


def log_line(container: str, text: str) -> LogLine:
    return LogLine(container=container, stream="stdout", time="", text=text)


def test_redirected_streams_get_plain_lines() -> None:
    assert isinstance(choose_reporter(io.StringIO(), Terminal()), PlainReporter)
    assert isinstance(choose_reporter(Terminal(), io.StringIO()), PlainReporter)
    assert isinstance(choose_reporter(Terminal(), Terminal()), TerminalReporter)


def test_log_lines_are_prefixed_whole_and_not_read_as_markup() -> None:
    out = io.StringIO()
    reporter_on(out).log(log_line("web", "[red]" + "x" * 100))
    assert out.getvalue() == "web │ [red]" + "x" * 100 + "\n"


def test_each_container_keeps_a_colour_of_its_own() -> None:
    out = io.StringIO()
    reporter = reporter_on(out, colour=True)
    for name in ("a", "b", "a"):
        reporter.log(log_line(name, "text"))
    first, second, third = out.getvalue().splitlines()
    assert first == third
    assert first.replace("a", "b", 1) != second


def test_a_pull_moves_and_vanishes() -> None:
    out = io.StringIO()
    reporter = reporter_on(out, colour=True)
    reporter.pull_started("r.io/a:1")
    reporter.pull_started("r.io/b:1")
    reporter.pull_finished("r.io/a:1", elapsed_s=1.0, size_bytes=2_000_000)
    reporter.pull_finished("r.io/b:1", elapsed_s=1.0, size_bytes=0, error="no such image")
    assert "pulling" in out.getvalue()
    assert "pulled" in out.getvalue()
    assert "2MB" in out.getvalue()
    assert "pull failed" in out.getvalue()


def test_an_interrupted_pull_gives_the_cursor_back() -> None:
    out = io.StringIO()
    reporter = reporter_on(out, colour=True)
    reporter.pull_started("r.io/a:1")
    reporter.close()
    reporter.close()
    assert out.getvalue().rstrip("\r\n").count("\x1b[?25h") == 1


def test_states_and_messages_are_told() -> None:
    out = io.StringIO()
    reporter = reporter_on(out)
    reporter.info("i")
    reporter.warning("w [b]")
    reporter.error("e")
    reporter.pod("default/p", "Running", "10.0.0.1")
    reporter.container(ContainerChange(container="c", phase="exited", exit_code=3, reason="Error"))
    assert out.getvalue() == (
        "i\nwarning: w [b]\nerror: e\npod default/p: Running (10.0.0.1)\ncontainer c: exited with code 3 (Error)\n"
    )


def test_a_pull_that_tells_how_far_it_is() -> None:
    out = io.StringIO()
    reporter = TerminalReporter(Console(file=out, force_terminal=True, width=120))
    reporter.pull_started("r.io/a:1")
    state = PullState(
        reference="r.io/a:1", stage="downloading", done_bytes=10**6, total_bytes=4 * 10**6, layers=5, layers_done=2
    )
    reporter.pull_progress("r.io/a:1", state)
    reporter.pull_progress("never heard of", state)
    deadline = time.monotonic() + patient(60)
    while "2/5 layers" not in out.getvalue() and time.monotonic() < deadline:
        time.sleep(0.05)  # it is drawn in its own time
    reporter.pull_finished("r.io/a:1", elapsed_s=1.0, size_bytes=0)
    assert "1MB of 4MB  2/5 layers" in out.getvalue()
