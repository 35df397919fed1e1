"""Sheets for people: labels and values, with the values of one indent in one column. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from email.utils import format_datetime

import msgspec

INDENT = "  "
GAP = 2
NONE = "<none>"


class SheetLine(msgspec.Struct, frozen=True):
    """One line. A line without a value is a heading."""

    level: int
    label: str
    value: str = ""


def render(lines: Iterable[SheetLine]) -> str:
    """The text. Values of several lines stay in their column, and control characters are escaped."""
    found = list(lines)
    widths: dict[int, int] = {}
    for line in found:
        if line.value:
            widths[line.level] = max(widths.get(line.level, 0), len(line.label))
    return "".join(_text(line, widths.get(line.level, 0)) for line in found)


def multiline(level: int, label: str, values: Iterable[str]) -> Iterator[SheetLine]:
    """A label with several values below each other."""
    found = list(values) or [NONE]
    yield SheetLine(level, label, found[0])
    yield from (SheetLine(level, "", value) for value in found[1:])


def shown_time(time: datetime) -> str:
    """RFC 1123 with a numeric zone, as kubectl writes it."""
    return format_datetime(time)


def _text(line: SheetLine, width: int) -> str:
    start = INDENT * line.level
    if not line.value:
        return f"{start}{line.label}\n"
    first, *more = line.value.splitlines() or [""]
    below = "".join(f"{start}{' ' * (width + GAP)}{_safe(each)}\n" for each in more)
    return f"{start}{line.label:<{width + GAP}}{_safe(first)}\n{below}"


def _safe(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
