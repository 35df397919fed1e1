"""What people read in tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.cli import table

SECOND_NS = 1_000_000_000


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table.render(["A", "LONG"], [["xyz", "1"], ["x", "22"]]) == "A     LONG\nxyz   1\nx     22\n"


def test_a_table_without_rows_is_its_heading() -> None:
    assert table.render(["A", "B"], []) == "A   B\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (3661, "1h1m"),
        (86400 * 2 + 5, "2d"),
        (86400 * 400, "1y35d"),
        (-5, "0s"),
    ],
)
def test_ages(seconds: int, text: str) -> None:
    now_ns = 10**18
    assert table.age(now_ns - seconds * SECOND_NS, now_ns) == text


def test_the_age_of_what_has_no_time() -> None:
    assert table.age(0, 5) == "-"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (3_584_337, "3.58MB"), (999_999, "1000kB"), (10**15, "1000TB")],
)
def test_sizes(count: int, text: str) -> None:
    assert table.size(count) == text


@given(st.integers(min_value=0, max_value=10**18))
def test_sizes_stay_short(count: int) -> None:
    assert "e+" not in table.size(count)


@pytest.mark.parametrize(
    ("full", "whole", "text"),
    [
        ("sha256:" + "ab" * 32, False, "ababababababa"),
        ("ab" * 32, False, "ababababababa"),
        ("sha256:ab", True, "sha256:ab"),
    ],
)
def test_ids(full: str, whole: bool, text: str) -> None:
    assert table.short_id(full, whole=whole) == text
