from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.crilog.times import parse_time


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T01:00:00.25+01:00", 250_000_000),
        ("1969-12-31T23:30:00-00:30", 0),
        ("2026-01-02T03:04:05.678901234Z", 1_767_323_045_678_901_234),
    ],
)
def test_times(text: str, time_ns: int) -> None:
    assert parse_time(text) == time_ns


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05.1234567890Z",
     "2026-01-02T03:04:05+99:00", "0001-01-01T00:00:00+23:59x", "\uff12026-01-02T03:04:05Z"],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    assert parse_time(text) is None


@given(
    moment=st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)),
    minutes=st.integers(min_value=-14 * 60, max_value=14 * 60),
    nanoseconds=st.integers(min_value=0, max_value=999),
)
def test_the_zone_does_not_matter(moment: datetime, minutes: int, nanoseconds: int) -> None:
    local = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    text = local.isoformat(timespec="microseconds")
    precise = f"{text[:26]}{nanoseconds:03d}{text[26:]}"
    elapsed = moment - datetime(1970, 1, 1)
    assert parse_time(precise) == (elapsed // timedelta(microseconds=1)) * 1000 + nanoseconds


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    assert parse_time(text) is None or text[:4].isdigit()
