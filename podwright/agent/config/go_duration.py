"""Go's durations: `1m30s` to nanoseconds and back, like time.ParseDuration and Duration.String."""

from __future__ import annotations

import re

from podwright.errors import InvalidArgument

SECOND_NS = 1_000_000_000
LIMIT_NS = 1 << 63  # Go keeps a duration in a signed 64-bit number
# Both U+00B5 and U+03BC are used as the sign of micro.
_UNITS_NS = {"ns": 1, "us": 1_000, "\u00b5s": 1_000, "\u03bcs": 1_000, "ms": 1_000_000, "s": SECOND_NS}
_UNITS_NS |= {"m": 60 * SECOND_NS, "h": 3600 * SECOND_NS}
_PART = re.compile(r"([0-9]{0,40})(?:\.([0-9]{0,40}))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")


def parse_duration(text: str) -> int:
    """The nanoseconds, without a fraction. Raises InvalidArgument where Go fails."""
    rest = text[1:] if text[:1] in {"+", "-"} else text
    if rest == "0":
        return 0
    total, position = 0, 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None or not (part[1] or part[2]):
            raise _refusal(text)
        unit = _UNITS_NS[part[3]]
        total += int(part[1] or "0") * unit
        if part[2]:
            total += int(part[2]) * unit // 10 ** len(part[2])
        position = part.end()
    negative = text.startswith("-")
    if not rest or total >= LIMIT_NS + negative:
        raise _refusal(text)
    return -total if negative else total


def format_duration(duration_ns: int) -> str:
    """The text that Go prints: `1m0s`, `1.5s`, `100ms`, `0s`."""
    size = abs(duration_ns)
    if size < SECOND_NS:
        text = _small(size)
    else:
        minutes, rest_ns = divmod(size, 60 * SECOND_NS)
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h" if hours else ""
        text += f"{minutes}m" if minutes or hours else ""
        text += f"{_decimal(rest_ns, 9)}s"
    return f"-{text}" if duration_ns < 0 else text


def _small(size_ns: int) -> str:
    if size_ns == 0:
        return "0s"
    if size_ns < 1_000:
        return f"{size_ns}ns"
    if size_ns < 1_000_000:
        return f"{_decimal(size_ns, 3)}\u00b5s"
    return f"{_decimal(size_ns, 6)}ms"


def _decimal(number: int, places: int) -> str:
    whole, fraction = divmod(number, 10**places)
    return f"{whole}.{fraction:0{places}d}".rstrip("0") if fraction else str(whole)


def _refusal(text: str) -> InvalidArgument:
    return InvalidArgument(f"{text!r} is not a duration", hint="such as 300ms, 10s or 1h30m")
