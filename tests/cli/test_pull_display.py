"""The lines of pulls, at every width."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from podwright.api.pull_state import PullState
from podwright.cli import pull_display

LONG = "registry.example.com/some/very/long/path/of/an/image/that/has/a/name:with-a-tag"


def _state(**fields: object) -> PullState:
    given = {
        "reference": "r.io/a:1",
        "stage": "downloading",
        "done_bytes": 120_000_000,
        "total_bytes": 300_000_000,
        "layers": 16,
    }
    return PullState(**{**given, "layers_done": 12, **fields})  # type: ignore[arg-type] # a test's


@pytest.mark.parametrize("columns", [60, 80, 119, 120, 200])
@pytest.mark.parametrize("image", ["r.io/a:1", LONG])
def test_the_amount_and_the_end_of_the_name_have_room(columns: int, image: str) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=columns, color_system=None)
    with pull_display.make_bars(console) as bars:
        task = pull_display.start_bar(bars, image)
        pull_display.move_bar(bars, task, _state(reference=image, rate_bytes_s=30_100_000.0))
        bars.refresh()
    lines = [line for line in re.split(r"[\r\n]|\x1b\[\S*?[A-Za-z]", out.getvalue()) if "layers" in line]
    assert lines
    assert all(len(line) <= columns for line in lines)
    if columns >= 80:
        assert "120MB of 300MB  30.1MB/s  12/16 layers" in lines[-1]
        assert image[-8:] in lines[-1]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"layers": 0, "stage": "resolving"}, "resolving"),
        ({}, "120MB of 300MB  12/16 layers"),
        ({"rate_bytes_s": 2_500.0}, "120MB of 300MB  2.5kB/s  12/16 layers"),
        ({"stage": "unpacking", "rate_bytes_s": 5.0}, "120MB of 300MB  unpacking  12/16 layers"),
    ],
)
def test_amounts(fields: dict[str, object], words: str) -> None:
    assert pull_display.amount(_state(**fields)) == words


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_display, "PLAIN_INTERVAL_S", 0.0)
    out = io.StringIO()
    with pull_display.shown_pull("a:1", out) as tell:
        tell(_state())
    assert out.getvalue() == ("pulling a:1\npulling r.io/a:1: downloading, 120.0 of 300.0 MB, 12 of 16 layers\n")
