"""Lists of CPUs and of memory nodes as the kernel writes them: `0-3,8` (cpuset(7), "List format")."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from podwright.errors import InvalidArgument

_ENTRY = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


def parse(text: str) -> frozenset[int]:
    """The numbers of a list, none for an empty text. Raises InvalidArgument."""
    found: set[int] = set()
    for entry in text.strip().split(",") if text.strip() else ():
        match = _ENTRY.fullmatch(entry.strip())
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high:
            raise InvalidArgument(f"{text!r} is not a list of numbers", hint="write it like 0-3,8")
        found.update(range(low, high + 1))
    return frozenset(found)


def spelt(numbers: Iterable[int]) -> str:
    """The shortest list of these numbers, in ascending order."""
    runs = itertools.groupby(enumerate(sorted(set(numbers))), key=lambda pair: pair[1] - pair[0])
    ranges = ([number for _, number in run] for _, run in runs)
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in ranges)
