"""Times of records as numbers. Pure.

Runtimes write RFC 3339 with nanoseconds, some in UTC and some in local time, so that the texts do not sort.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

NANOSECONDS_PER_SECOND = 1_000_000_000
_RFC3339 = re.compile(
    r"(?P<clock>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?"
    r"(?:Z|(?P<sign>[+-])(?P<hours>\d\d):(?P<minutes>\d\d))",
    re.ASCII,
)


def parse_time(text: str) -> int | None:
    """Nanoseconds since the epoch, or None if `text` is not an RFC 3339 time of up to nine fractional digits."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    offset = timedelta()
    if match["sign"]:
        offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
    try:
        zone = timezone(-offset if match["sign"] == "-" else offset)
        clock = datetime.fromisoformat(match["clock"]).replace(tzinfo=zone)
        whole_s = (clock - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    return whole_s * NANOSECONDS_PER_SECOND + int((match["fraction"] or "").ljust(9, "0"))
