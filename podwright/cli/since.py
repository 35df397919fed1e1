"""Parses points in time. Pure.

Accepts what crictl and docker accept: a duration before now (`42m`, `1h30m`, `1.5s`), an RFC 3339 time or its
beginning, in local time without a zone (`2026-01-02`, `2026-01-02T15:04`), or seconds since the epoch
(`1767323045.25`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from podwright.crilog.times import NANOSECONDS_PER_SECOND, parse_time
from podwright.errors import InvalidArgument

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_UNITS_NS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_SECONDS = re.compile(r"(\d+)(?:\.(\d{1,9}))?", re.ASCII)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?)?", re.ASCII)


def parse_since(text: str, now_ns: int) -> int:
    """Nanoseconds since the epoch. Raises InvalidArgument."""
    if _DURATION.fullmatch(text):
        return now_ns - sum(round(float(count) * _UNITS_NS[unit]) for count, unit in _PART.findall(text))
    if match := _SECONDS.fullmatch(text):
        return int(match[1]) * NANOSECONDS_PER_SECOND + int((match[2] or "").ljust(9, "0"))
    time_ns = parse_time(text)
    if time_ns is None:
        time_ns = _local_time(text)
    if time_ns is None:
        raise InvalidArgument(
            f"{text!r} is not a point in time",
            hint="use for example 42m, 2026-01-02T15:04:05Z, 2026-01-02 or 1767323045",
        )
    return time_ns


def _local_time(text: str) -> int | None:
    """A time without a zone is in this machine's local time."""
    if not _LOCAL.fullmatch(text):
        return None
    clock, _, fraction = text.partition(".")
    try:
        moment = datetime.fromisoformat(clock).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    whole_s = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return whole_s * NANOSECONDS_PER_SECOND + int(fraction.ljust(9, "0"))
