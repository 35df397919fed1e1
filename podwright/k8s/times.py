"""Times as the API writes them: RFC 3339 in UTC, whole seconds (metav1.Time) or six digits (metav1.MicroTime)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from podwright.errors import InvalidArgument
from podwright.k8s.objects.base import MicroTime

# Go prints nanoseconds; datetime holds microseconds.
_FRACTION = re.compile(r"(\.\d{6})\d+")


def parse_time(text: str) -> datetime:
    """RFC 3339 with any number of digits of a second, cut to microseconds. Raises InvalidArgument."""
    try:
        time = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    except ValueError as failure:
        raise InvalidArgument(f"{text!r} is not a time", hint="such as 2026-03-01T10:00:00Z") from failure
    if time.tzinfo is None:
        raise InvalidArgument(f"{text!r} has no time zone", hint="such as 2026-03-01T10:00:00Z")
    try:
        return time.astimezone(UTC)
    except OverflowError as failure:  # before the year 1 or after 9999 in UTC
        raise InvalidArgument(f"{text!r} is not a time") from failure


def whole_seconds(time: datetime) -> datetime:
    """The time as the API server keeps a metav1.Time: what is finer than a second is dropped."""
    return time.astimezone(UTC).replace(microsecond=0)


def micro_time(time: datetime) -> MicroTime:
    """The time for a field that wants microseconds."""
    return MicroTime.fromtimestamp(time.timestamp(), tz=UTC)


def format_time(time: datetime) -> str:
    """`2026-03-01T10:00:00Z`, as metav1.Time is written."""
    return whole_seconds(time).strftime("%Y-%m-%dT%H:%M:%SZ")
