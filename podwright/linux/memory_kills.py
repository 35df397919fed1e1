"""Which processes the kernel killed for want of memory: its counters of a cgroup, and the lines in its log.

The counters say how many, but not whom. The log names each victim, though not for ever, and when many are killed
within seconds not all (the lines that name the cgroup are rate-limited, mm/oom_kill.c).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from podwright.linux import cgroup, libc
from podwright.linux.cgroup import CgroupHost

LOG_LIMIT_BYTES = 1024 * 1024
# Since Linux 5.0: oom-kill:constraint=...,oom_memcg=/limited,task_memcg=/limited/inner,task=NAME,pid=NUMBER,uid=NUMBER
VICTIM = re.compile(r"oom-kill:constraint=.*,task_memcg=(/.*?),task=(.*),pid=(\d+),uid=\d+$", re.MULTILINE)
INITIAL_PID_NAMESPACE = 0xEFFFFFFC  # its inode number (PROC_PID_INIT_INO, include/linux/proc_ns.h)


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A process that was killed: its cgroup in the hierarchy of the memory controller, its PID, its short name."""

    cgroup: str
    pid: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """How many processes of a cgroup were killed, and how often the whole group (memory.oom.group, v2 alone)."""

    processes: int
    groups: int = 0


def counters(host: CgroupHost, path: str) -> Counters | None:
    """The kernel's counters; None when the cgroup is gone, or the kernel has none. Raises OSError."""
    directory = host.directory(path, "memory")
    if directory is None:
        return None
    name = "memory.oom_control" if "memory" in host.controllers else "memory.events"
    table = cgroup.read_table(f"{directory}/{name}")
    if "oom_kill" not in table:
        return None
    return Counters(processes=table["oom_kill"], groups=table.get("oom_group_kill", 0))


def victims(path: str) -> tuple[Victim, ...]:
    """The processes of a cgroup, and of those below it, that the kernel's log names. Blocks.

    Empty where the log may not be read, and in a PID namespace of the daemon's: the log has the initial one's PIDs.
    """
    if os.stat("/proc/self/ns/pid").st_ino != INITIAL_PID_NAMESPACE:
        return ()
    try:
        log = libc.kernel_log(LOG_LIMIT_BYTES)
    except PermissionError:
        return ()
    return tuple(below(path, parse(log.decode(errors="replace"))))


def parse(log: str) -> list[Victim]:
    """The victims in a piece of the kernel's log."""
    return [Victim(cgroup=group, pid=int(pid), name=name) for group, name, pid in VICTIM.findall(log)]


def below(path: str, found: Iterable[Victim]) -> Iterable[Victim]:
    """Those of the cgroup `path`. In a cgroup namespace of the daemon's, the log's paths are longer than ours."""
    wanted = f"/{path.strip('/')}/"
    return (victim for victim in found if wanted in f"{victim.cgroup}/")
