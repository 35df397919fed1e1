"""Knowing the processes of one exec among all in its container, whatever they do to get away from their parents.

setsid and double forks leave neither session nor ancestry to go by, environments can be emptied, and a cgroup for
each exec would cost as much as the exec. But every process inherits its resource limits, and one of them does nothing
where nobody has real-time scheduling with a limit: RLIMIT_RTTIME, unlimited as a rule. A number of microseconds that
no process lives to see (146,000 years and more) is as good as unlimited, and as a number of its own it is a mark that
an unprivileged process cannot take off. Both crun and runc set the limits of an exec's process spec.

What does not hold: a process may lower the limit further, which nobody does. An OCI runtime that ignores limits is
why `proc.kill_tree` is used besides.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from typing import Any

from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost

BASE_US = 1 << 62
TOKEN = re.compile(r"exec-([0-9a-f]{15})")
LIMIT_LINE = b"Max realtime timeout "
POLL_S = 0.002


def of_path(path: str) -> int | None:
    """The mark of the exec whose file this is, by the token in its name; None when it is no exec's file."""
    found = TOKEN.match(os.path.basename(path))
    return BASE_US + int(found[1], 16) if found else None


def oci_limit(mark: int) -> dict[str, Any]:
    """The mark as an entry of an OCI process's `rlimits`."""
    return {"type": "RLIMIT_RTTIME", "soft": mark, "hard": mark}


def mark_in(limits: bytes) -> int | None:
    """The mark in the text of a /proc/PID/limits; None for processes of no exec."""
    line = limits.partition(LIMIT_LINE)[2].partition(b"\n")[0].split()
    value = int(line[0]) if line and line[0].isdigit() else 0
    return value if value >= BASE_US else None


def mark_of(pid: int) -> int | None:
    """The mark of a process; None when it has none or is gone."""
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            return mark_in(file.read())
    except OSError:
        return None


def kill_marked(host: CgroupHost, path: str, marks: frozenset[int], timeout_s: float = 1.0) -> bool:
    """SIGKILL every process in a container's cgroup that has one of the marks, until there is none.

    False when `timeout_s` was not enough. Blocks.
    """
    deadline = time.monotonic() + timeout_s
    while found := [pid for pid in cgroup.processes(host, path) if mark_of(pid) in marks]:
        for number in (signal.SIGSTOP, signal.SIGKILL):  # all stand still before the first one dies
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
