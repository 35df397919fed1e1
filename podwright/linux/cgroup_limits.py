"""The limits of a cgroup as its files hold them: reads all and writes them back. Blocks.

Used when limits of a running container change, so that a failed change can be undone.
"""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterable, Mapping

from podwright.linux.cgroup import CgroupHost

# The limits that CRI can change, by controller. Huge pages have a file per size.
V1_FILES = {
    "cpu": ("cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us"),
    "cpuset": ("cpuset.cpus", "cpuset.mems"),
    "memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    "hugetlb": ("hugetlb.*.limit_in_bytes",),
}
V2_FILES = {
    "cpu": ("cpu.weight", "cpu.max"),
    "cpuset": ("cpuset.cpus", "cpuset.mems"),
    "memory": ("memory.max", "memory.swap.max"),
    "hugetlb": ("hugetlb.*.max",),
}


def read_limits(host: CgroupHost, path: str, unified: Iterable[str] = ()) -> dict[str, str]:
    """The text of every limit's file by path. `unified` are names of further v2 files. Absent files are skipped."""
    patterns = [
        f"{glob.escape(directory)}/{name}"
        for controller, v2_names in V2_FILES.items()
        if (directory := host.directory(path, controller)) is not None
        for name in (V1_FILES[controller] if controller in host.controllers else v2_names)
    ]
    patterns += [f"{glob.escape(f'{host.unified}{path}')}/{name}" for name in unified]
    limits = {}
    for file_name in (name for pattern in patterns for name in glob.glob(pattern)):
        with contextlib.suppress(OSError), open(file_name, encoding="ascii") as file:
            limits[file_name] = file.read()
    return limits


def write_limits(limits: Mapping[str, str]) -> list[str]:
    """Write limits back where they differ. Returns the paths that the kernel does not accept.

    Two passes, because some limits depend on each other: the memory limit never exceeds memory with swap.
    """
    refused: list[str] = []
    for _ in range(2):
        refused = []
        for file_name, text in limits.items():
            try:
                with open(file_name, "r+", encoding="ascii") as file:
                    if file.read() != text:
                        file.seek(0)
                        file.write(text)
            except OSError:
                refused.append(file_name)
    return refused


def lift_v1_cpu_quota(host: CgroupHost, path: str) -> None:
    """Remove the CPU quota on v1. Raises OSError."""
    with open(f"{host.directory(path, 'cpu')}/cpu.cfs_quota_us", "r+", encoding="ascii") as file:
        file.write("-1")


def set_huge_pages(host: CgroupHost, path: str, limits: Iterable[tuple[str, int]]) -> None:
    """Limit huge pages by size, such as "2MB". Raises OSError."""
    for size, limit_bytes in limits:
        name = "limit_in_bytes" if "hugetlb" in host.controllers else "max"
        with open(f"{host.directory(path, 'hugetlb')}/hugetlb.{size}.{name}", "r+", encoding="ascii") as file:
            file.write(str(limit_bytes))
