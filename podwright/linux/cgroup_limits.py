"""The limits of a cgroup as its files hold them: reading them all, and putting them back.

Called where limits of a running container are changed, so that a change that fails half-way leaves nothing. Blocking
calls.
"""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterable, Mapping

from podwright.linux.cgroup import CgroupHost

# What CRI can change, by controller. Huge pages have a file for each size.
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
    """The text of every limit's file by its path; `unified` are names of further files of v2. Absent ones are not."""
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
    """Put limits back where they differ; the paths of those that the kernel does not take any more.

    Twice, since some must not pass one another: memory alone never exceeds memory with swap.
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
    """No CPU quota, on v1. Raises OSError."""
    with open(f"{host.directory(path, 'cpu')}/cpu.cfs_quota_us", "r+", encoding="ascii") as file:
        file.write("-1")


def set_huge_pages(host: CgroupHost, path: str, limits: Iterable[tuple[str, int]]) -> None:
    """Limit huge pages by their sizes, such as "2MB". Raises OSError."""
    for size, limit_bytes in limits:
        name = "limit_in_bytes" if "hugetlb" in host.controllers else "max"
        with open(f"{host.directory(path, 'hugetlb')}/hugetlb.{size}.{name}", "r+", encoding="ascii") as file:
            file.write(str(limit_bytes))
