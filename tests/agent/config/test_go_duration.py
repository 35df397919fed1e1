"""Durations as Go reads and prints them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config.go_duration import LIMIT_NS, format_duration, parse_duration
from podwright.errors import InvalidArgument

UNITS_NS = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@pytest.mark.parametrize(
    ("text", "duration_ns"),
    [
        ("0", 0),
        ("-0", 0),
        ("5s", 5_000_000_000),
        ("1m30s", 90_000_000_000),
        ("1.5h", 5_400_000_000_000),
        (".5s", 500_000_000),
        ("1.s", 1_000_000_000),
        ("-1.5ms", -1_500_000),
        ("+3us", 3_000),
        ("3\u00b5s", 3_000),
        ("3\u03bcs", 3_000),
        ("0.4ns", 0),
        ("1s1s", 2_000_000_000),
        ("9223372036854775807ns", LIMIT_NS - 1),
        ("-9223372036854775808ns", -LIMIT_NS),
    ],
)
def test_what_go_reads(text: str, duration_ns: int) -> None:
    assert parse_duration(text) == duration_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "3",
        "s",
        ".s",
        "1 s",
        "1s ",
        "1d",
        "--1s",
        "1S",
        "1e3s",
        "9223372036854775808ns",
        "3000000h",
        "1" * 5000,
    ],
)
def test_what_go_refuses(text: str) -> None:
    with pytest.raises(InvalidArgument, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1\u00b5s"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (60_000_000_000, "1m0s"),
        (14_400_000_000_000, "4h0m0s"),
        (245_001_000_000, "4m5.001s"),
        (-90_000_000_000, "-1m30s"),
    ],
)
def test_what_go_prints(duration_ns: int, text: str) -> None:
    assert format_duration(duration_ns) == text


@given(st.integers(min_value=-LIMIT_NS, max_value=LIMIT_NS - 1))
def test_what_is_printed_is_read_back(duration_ns: int) -> None:
    assert parse_duration(format_duration(duration_ns)) == duration_ns


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(sorted(UNITS_NS))), min_size=1, max_size=6))
def test_parts_add_up_in_any_order(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == sum(number * UNITS_NS[unit] for number, unit in parts)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        duration_ns = parse_duration(text)
    except InvalidArgument:
        return
    assert parse_duration(format_duration(duration_ns)) == duration_ns
