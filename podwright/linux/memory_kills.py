"""Which processes the kernel killed for lack of memory: its counters of a cgroup, and its log.

The counters say how many, but not which. The log names each victim, but not for good, and not all if many are killed
within seconds (the lines that name the cgroup are rate-limited, mm/oom_kill.c).
"""

from __future__ import annotations

import os
import re

import msgspec

from podwright.linux import cgroup, libc
from podwright.linux.cgroup import CgroupHost

LOG_LIMIT_BYTES = 1024 * 1024
# Since Linux 5.0: oom-kill:constraint=...,oom_memcg=/limited,task_memcg=/limited/inner,task=NAME,pid=NUMBER,uid=NUMBER
VICTIM = re.compile(r"oom-kill:constraint=.*,task_memcg=(/.*?),task=(.*),pid=(\d+),uid=\d+$", re.MULTILINE)
# The line of a kill of a whole group names none but the first victim. Since Linux 4.19.
GROUP = re.compile(r"Tasks in (/.*) are going to be killed due to memory\.oom\.group set$", re.MULTILINE)
INITIAL_PID_NAMESPACE = 0xEFFFFFFC  # its inode number (PROC_PID_INIT_INO, include/linux/proc_ns.h)


class Victim(msgspec.Struct, frozen=True, kw_only=True):
    """A killed process: its cgroup in the memory controller's hierarchy, its PID, its short name."""

    cgroup: str
    pid: int
    name: str


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """The number of killed processes of a cgroup, and of kills of the whole group (memory.oom.group, v2 only)."""

    processes: int
    groups: int = 0


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel's log says of a cgroup: processes that were killed, and how often all of a group were."""

    victims: tuple[Victim, ...] = ()
    groups: int = 0


def counters(host: CgroupHost, path: str) -> Counters | None:
    """The kernel's counters, or None if the cgroup or the counters do not exist. Raises OSError."""
    directory = host.directory(path, "memory")
    if directory is None:
        return None
    name = "memory.oom_control" if "memory" in host.controllers else "memory.events"
    table = cgroup.read_table(f"{directory}/{name}")
    if "oom_kill" not in table:
        return None
    return Counters(processes=table["oom_kill"], groups=table.get("oom_group_kill", 0))


def logged(path: str) -> Logged:
    """What the kernel's log says of a cgroup and of those below it. Blocks.

    Nothing if the log is not readable, or if the daemon has a PID namespace of its own, because the log has initial
    PIDs.
    """
    if os.stat("/proc/self/ns/pid").st_ino != INITIAL_PID_NAMESPACE:
        return Logged()
    try:
        log = libc.kernel_log(LOG_LIMIT_BYTES)
    except PermissionError:
        return Logged()
    return parse(log.decode(errors="replace"), path)


def parse(log: str, path: str) -> Logged:
    """What an excerpt of the kernel's log says of the cgroup `path` and of those below it."""
    victims = (Victim(cgroup=group, pid=int(pid), name=name) for group, name, pid in VICTIM.findall(log))
    return Logged(
        victims=tuple(victim for victim in victims if is_below(victim.cgroup, path)),
        groups=sum(is_below(group, path) for group in GROUP.findall(log)),
    )


def is_below(group: str, path: str) -> bool:
    """Whether a cgroup of the log is `path`, or below it.

    If the daemon has its own cgroup namespace, the log's paths are longer than ours.
    """
    return f"/{path.strip('/')}/" in f"{group}/"
