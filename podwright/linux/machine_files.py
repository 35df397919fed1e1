"""Files in /proc, /sys and /etc that say what the machine is and has. Pure except for `read_text`."""

from __future__ import annotations

import re
from collections.abc import Iterable

BOOT_ID = "/proc/sys/kernel/random/boot_id"
LIMIT_BYTES = 1 << 20  # the kernel refuses to read a sysctl into a buffer of 4 MiB (ENOMEM)
TASK_LIMITS = ("pid_max", "threads-max")  # in /proc/sys/kernel


def read_text(path: str) -> str:
    """The first MiB of a file. Empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(LIMIT_BYTES)
    except OSError:
        return ""


def meminfo(content: str) -> dict[str, int]:
    """Lines such as `MemTotal:  16384 kB`, as bytes (proc_meminfo(5)). Those of a NUMA node begin with `Node 0`."""
    found = re.finditer(r"^(?:Node \d+ )?(\S+):\s+(\d+) kB$", content, re.MULTILINE)
    return {match[1]: int(match[2]) * 1024 for match in found}


def task_limit(contents: Iterable[str]) -> int | None:
    """The lower one of the kernel's limits on tasks, pid_max and threads-max (proc_sys_kernel(5)). None if unknown."""
    return min((int(content) for content in contents if content.strip().isdigit()), default=None)
