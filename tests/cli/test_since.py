from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from podwright.cli.since import parse_since
from podwright.errors import InvalidArgument

NOW_NS = 1_800_000_000 * 10**9


@pytest.fixture
def five_hours_behind() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "XXX+5"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("text", "ago_ns"),
    [("42m", 42 * 60 * 10**9), ("1h30m", 90 * 60 * 10**9), ("1.5s", 15 * 10**8), ("10ms", 10**7), ("0s", 0)],
)
def test_durations(text: str, ago_ns: int) -> None:
    assert parse_since(text, NOW_NS) == NOW_NS - ago_ns


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1767323045", 1_767_323_045 * 10**9),
        ("1767323045.25", 1_767_323_045_250_000_000),
        ("2026-01-02T03:04:05.5Z", 1_767_323_045_500_000_000),
        ("2026-01-02T05:04:05+02:00", 1_767_323_045 * 10**9),
        ("2026-01-01T22:04:05.000000001", 1_767_323_045_000_000_001),
        ("2026-01-01T22:04", 1_767_323_040 * 10**9),
        ("2026-01-02", 1_767_330_000 * 10**9),
    ],
)
@pytest.mark.usefixtures("five_hours_behind")
def test_times(text: str, time_ns: int) -> None:
    assert parse_since(text, NOW_NS) == time_ns


@pytest.mark.parametrize("text", ["", "yesterday", "42x", "-5m", "2026-13-01", "2026-1-1", "2026-01-02T25", "1e3"])
def test_what_is_no_point_in_time(text: str) -> None:
    with pytest.raises(InvalidArgument, match="not a point in time"):
        parse_since(text, NOW_NS)
