"""The sizes of huge pages that the kernel has, and how CRI and the files of the hugetlb controller spell them."""

from __future__ import annotations

import os
import re

FOLDER = "/sys/kernel/mm/hugepages"
_NAME = re.compile(r"hugepages-(\d+)kB")
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def pages(folder: str = FOLDER) -> dict[int, str]:
    """The directory of each size, by the size in bytes, small ones first. None for a kernel without huge pages."""
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    sizes = {int(match[1]) * 1024: f"{folder}/{match[0]}" for match in map(_NAME.fullmatch, names) if match}
    return dict(sorted(sizes.items()))


def sizes(folder: str = FOLDER) -> tuple[str, ...]:
    """The same as they are spelt, `2MB` and `1GB`."""
    return tuple(spelt(size_bytes) for size_bytes in pages(folder))


def spelt(size_bytes: int) -> str:
    """In the largest unit that leaves a number of at least one (mm/hugetlb_cgroup.c)."""
    index = 0
    while size_bytes >= 1024 and index < len(_UNITS) - 1:
        size_bytes //= 1024
        index += 1
    return f"{size_bytes}{_UNITS[index]}"
