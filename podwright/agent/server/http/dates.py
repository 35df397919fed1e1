"""HTTP's form of a date (RFC 9110, 5.6.7). In Python's library it is among what e-mails need."""

from __future__ import annotations

import time

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(seconds: float | None = None) -> str:
    """A time since the epoch, or now: `Mon, 30 Nov 2026 09:05:00 GMT`, whatever the locale."""
    at = time.gmtime(seconds)
    day = f"{DAYS[at.tm_wday]}, {at.tm_mday:02} {MONTHS[at.tm_mon - 1]} {at.tm_year:04}"
    return f"{day} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
