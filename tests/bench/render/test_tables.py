"""What cells and rows say."""

from __future__ import annotations

import pytest

from podwright.bench.render.summary import summary
from podwright.bench.render.tables import cell, condition_words, number, spread, tables
from podwright.bench.results import Measurement
from podwright.bench.stats import summarise
from tests.bench.reports import sample_report


def measured(samples: list[float], unit: str = "ms", failures: int = 0) -> Measurement:
    return Measurement(
        suite="s", target="t", name="n", unit=unit, conditions={}, failures=failures, samples=samples,
        summary=summarise(samples) if samples else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("measurement", "expected"),
    [
        (None, "-"),
        (measured([1.0]), "1.00"),
        (measured([1.0] * 9), "1.00"),
        (measured([20.0] * 10), "20.0 / 20.0 / 20.0"),
        (measured([20.0] * 10, unit="1/s"), "20.0"),
        (measured([3 * 1024 * 1024.0], unit="bytes"), "3.00"),
        (measured([1.0], failures=2), "1.00 (2 failed)"),
        (measured([], failures=2), "none (2 failed)"),
    ],
    ids=["absent", "one", "nine", "ten", "a rate", "bytes", "some failed", "all failed"],
)
def test_cells(measurement: Measurement | None, expected: str) -> None:
    assert cell(measurement) == expected


@pytest.mark.parametrize(("value", "expected"), [(123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (-0.5, "-0.50")])
def test_three_digits(value: float, expected: str) -> None:
    assert number(value, "ms") == expected


def test_the_spread_says_how_sure_it_is() -> None:
    assert spread(measured([1.0, 2.0])) == "n = 2, min 1.00, max 2.00"
    assert spread(measured([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])) == (
        "n = 6, median 95 % in 1.00 to 6.00, min 1.00, max 6.00"
    )
    assert spread(None) == ""


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"concurrency": 4}, ["4 at once"]),
        ({"pods": 0}, ["no pods"]),
        ({"pods": 9}, ["beside 9 pods"]),
        ({"x": 1}, ["x 1"]),
    ],
)
def test_conditions_in_words(conditions: dict[str, int], expected: list[str]) -> None:
    assert condition_words(conditions) == expected


def test_a_table_for_each_suite_and_a_cell_for_each_target() -> None:
    found = {table.suite: table for table in tables(sample_report())}
    assert list(found) == ["start", "density", "exec"]
    assert [row.label for row in found["start"].rows][:2] == ["pod start, 1 at once (ms)", "pods/s, 4 at once (1/s)"]
    last = found["density"].rows[-1]
    assert last.label == "monitors' PSS per pod, beside 100 pods (MiB)"
    assert [cell(each) for each in last.cells] == ["1.00", "-"]


def test_the_summary_shows_what_every_target_reached_and_what_some_did() -> None:
    lines = {label: [cell(each) for each in row.cells] for label, row in summary(sample_report())}
    assert lines["monitors per pod, PSS, 50 pods there"] == ["0.50", "2.50"]
    assert lines["monitors per pod, PSS, 100 pods there"] == ["1.00", "-"]
    assert lines["idle daemon, PSS"] == ["40.0", "200"]
    assert "relist" not in lines
