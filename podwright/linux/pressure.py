"""Pressure files: how long tasks wait for CPU, memory or I/O (the kernel's accounting/psi). Pure, and never raises."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

UINT64_MAX = 2**64 - 1
UINT64_DIGITS = 20
NS_PER_US = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class StallTimes:
    """One line of a pressure file: shares of time (percent) over 10, 60 and 300 s, and the total time."""

    total_ns: int = 0
    avg10: float = 0.0
    avg60: float = 0.0
    avg300: float = 0.0


_NONE = StallTimes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """Stalls for lack of a resource: of all tasks at once (`full`), of at least one (`some`)."""

    full: StallTimes = _NONE
    some: StallTimes = _NONE


@functools.lru_cache(maxsize=512)  # most containers never stall, so their files rarely change
def parse_pressure(text: bytes) -> Stalls | None:
    """A pressure file ("some avg10=0.00 avg60=0.00 avg300=0.00 total=0", then "full ..."). None if it is empty.

    What is missing or malformed is 0. Kernels before 5.13 have no "full" line for the CPU.
    """
    lines: dict[bytes, StallTimes] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(b" ")
        if kind in {b"some", b"full"}:
            lines[kind] = _data(rest)
    if not lines:
        return None
    return Stalls(full=lines.get(b"full", _NONE), some=lines.get(b"some", _NONE))


def _data(text: bytes) -> StallTimes:
    pairs = dict(word.partition(b"=")[::2] for word in text.split())
    return StallTimes(
        total_ns=_nanoseconds(pairs.get(b"total", b"")),
        avg10=_percent(pairs.get(b"avg10", b"")),
        avg60=_percent(pairs.get(b"avg60", b"")),
        avg300=_percent(pairs.get(b"avg300", b"")),
    )


def _nanoseconds(word: bytes) -> int:
    """Microseconds as nanoseconds, within 64 bits."""
    if not word.isdigit() or len(word) > UINT64_DIGITS:
        return 0
    value = int(word)
    return min(value * NS_PER_US, UINT64_MAX) if value <= UINT64_MAX else 0


def _percent(word: bytes) -> float:
    try:
        value = float(word)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0
