"""RFC 3339 as the API writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.k8s.objects.base import MicroTime
from podwright.k8s.times import format_time, micro_time, parse_time, whole_seconds

TIME = datetime(2026, 3, 1, 10, 0, 0, 120000, tzinfo=UTC)


def test_forms() -> None:
    assert parse_time("2026-03-01T10:00:00.120Z") == TIME
    assert parse_time("2026-03-01T11:00:00.120000999+01:00") == TIME
    assert format_time(TIME.astimezone(timezone(timedelta(hours=1)))) == "2026-03-01T10:00:00Z"
    assert isinstance(micro_time(TIME), MicroTime)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-03-01T10:00:00", "2026-13-01T10:00:00Z", "9999-12-31T23:00:00-23:00"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_time(text)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_times_survive(time: datetime) -> None:
    assert parse_time(time.isoformat()) == time
    assert parse_time(format_time(time)) == whole_seconds(time)
    assert micro_time(time) == time
