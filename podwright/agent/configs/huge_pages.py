"""Sizes of huge pages, as the API writes them (hugepages-2Mi) and as CRI and the kernel's files do (2MB)."""

from __future__ import annotations

import os

from podwright.k8s.quantity import whole

PREFIX = "hugepages-"
FOLDER = "/sys/kernel/mm/hugepages"
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def page_size(resource: str) -> str:
    """The size in a resource's name. Raises InvalidArgument for what is no size."""
    return _unit_size(whole(resource.removeprefix(PREFIX)))


def page_sizes(folder: str = FOLDER) -> tuple[str, ...]:
    """The sizes that this kernel has, or none when it was built without huge pages."""
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return ()
    kibibytes = (name.removeprefix(PREFIX).removesuffix("kB") for name in names if name.startswith(PREFIX))
    return tuple(_unit_size(int(size) * 1024) for size in kibibytes)


def _unit_size(size_bytes: int) -> str:
    """The largest unit that leaves a number of at least one, as the kernel's hugetlb files are named."""
    index = 0
    while size_bytes >= 1024 and index < len(_UNITS) - 1:
        size_bytes //= 1024
        index += 1
    return f"{size_bytes}{_UNITS[index]}"
