"""Tables for people: columns padded to their widest cell, without frames, for use with cut and grep."""

from __future__ import annotations

from collections.abc import Sequence

GAP = "   "
SHORT_ID_LENGTH = 13
NANOSECONDS_PER_SECOND = 1_000_000_000
AGE_UNITS = ((365 * 86400, "y"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
SIZE_UNITS = ("B", "kB", "MB", "GB", "TB")
SIZE_STEP = 1000


def render(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table as text, with its heading and a newline at the end."""
    lines = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    padded = (GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "".join(line.rstrip() + "\n" for line in padded)


def short_id(full: str, *, whole: bool = False) -> str:
    """An id for people: without `sha256:`, and shortened unless `whole`."""
    return full if whole else full.removeprefix("sha256:")[:SHORT_ID_LENGTH]


def age(created_ns: int, now_ns: int) -> str:
    """The time since then in its two largest units: `3h12m`, `45s`, `2d4h`. `-` if unknown."""
    if created_ns <= 0:
        return "-"
    seconds = max(0, (now_ns - created_ns) // NANOSECONDS_PER_SECOND)
    parts: list[str] = []
    for unit_s, letter in AGE_UNITS:
        count, seconds = divmod(seconds, unit_s)
        if count or parts:
            parts.append(f"{count}{letter}" if count else "")  # "2d", not "2d0h"
        if len(parts) == 2:
            break
    return "".join(parts) or "0s"


def size(count_bytes: int) -> str:
    """A size in powers of 1000 with three digits: `3.58MB`."""
    value = float(count_bytes)
    unit = 0
    while value >= SIZE_STEP and unit < len(SIZE_UNITS) - 1:
        value /= SIZE_STEP
        unit += 1
    return f"{value:.3g}{SIZE_UNITS[unit]}" if value < SIZE_STEP - 0.5 else f"{value:.0f}{SIZE_UNITS[unit]}"
