"""Percentiles."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.bench.stats import median_interval, percentile, summarise
from podwright.errors import InvalidArgument

NUMBERS = st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=1, max_size=50)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 99, 7.0),
        ([1.0, 2.0], 50, 1.5),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 90, 3.7),
        ([float(n) for n in range(101)], 99, 99.0),
        ([1.0, 5.0], 0, 1.0),
        ([1.0, 5.0], 100, 5.0),
    ],
)
def test_known_percentiles(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == pytest.approx(expected)


@given(NUMBERS)
def test_the_middle_is_the_median(values: list[float]) -> None:
    assert percentile(values, 50) == pytest.approx(statistics.median(values))


@given(NUMBERS, st.floats(min_value=0, max_value=100), st.floats(min_value=0, max_value=100))
def test_percentiles_are_ordered_and_inside_the_sample(values: list[float], one: float, other: float) -> None:
    low, high = percentile(values, min(one, other)), percentile(values, max(one, other))
    assert min(values) <= low <= high + 1e-9
    assert high <= max(values)


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1.0], -1), ([1.0], 101)])
def test_nonsense_is_refused(values: list[float], percent: float) -> None:
    with pytest.raises(InvalidArgument):
        percentile(values, percent)


def test_a_summary() -> None:
    summary = summarise([4.0, 1.0, 3.0, 2.0])
    assert (summary.count, summary.min, summary.p50, summary.max, summary.mean) == (4, 1.0, 2.5, 4.0, 2.5)
    assert summary.deviation == pytest.approx(1.25**0.5)
    assert (summary.low, summary.high) == (None, None)


@pytest.mark.parametrize(
    ("count", "expected"),
    # Ranks from published tables of the sign test (two-sided, 5 %): for n = 20 the 6th and the 15th value.
    [(5, None), (6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (20, (6, 15)), (30, (10, 21))],
)
def test_the_interval_of_the_median_by_ranks(count: int, expected: tuple[float, float] | None) -> None:
    assert median_interval([float(rank) for rank in range(count, 0, -1)]) == expected


@given(NUMBERS)
def test_the_interval_holds_the_median(values: list[float]) -> None:
    interval = median_interval(values)
    assert interval is None or interval[0] <= statistics.median(values) <= interval[1]
