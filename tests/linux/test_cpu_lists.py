"""Lists of CPUs as the kernel writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.linux.cpu_lists import parse, spelt


@pytest.mark.parametrize(
    ("text", "numbers"), [("", set()), ("0\n", {0}), ("0-3,8", {0, 1, 2, 3, 8}), ("5,1", {1, 5}), ("1, 2", {1, 2})]
)
def test_reading(text: str, numbers: set[int]) -> None:
    assert parse(text) == numbers


@pytest.mark.parametrize("text", ["a", "1-", "-1", "3-1", "1,,2", "1;2", "99999999"])
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(InvalidArgument, match="not a list of numbers"):
        parse(text)


@given(st.frozensets(st.integers(0, 300)))
def test_what_is_written_can_be_read(numbers: frozenset[int]) -> None:
    assert parse(spelt(numbers)) == numbers


def test_runs_are_ranges() -> None:
    assert spelt({8, 1, 0, 2}) == "0-2,8"
