"""How a container ended: its exit code and the reason that CRI shows. Pure but for reading the exit file."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
from dataclasses import dataclass

from podwright.linux.files import write_new
from podwright.linux.memory_kills import Counters, Victim
from podwright.runtime.handlers.oci import conmon
from podwright.runtime.handlers.protocol import COMPLETED, ERROR, OOM_KILLED, UNKNOWN, UNKNOWN_CODE, Exit

KILLED_CODE = 128 + signal.SIGKILL
NAMED_LIMIT = 5  # victims in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryKills:
    """The kills for memory in a container's cgroup.

    `processes` were killed, and `groups` times the whole cgroup at once (memory.oom.group). `victims` are those that
    the kernel's log names, some or all of them.
    """

    processes: int = 0
    groups: int = 0
    victims: tuple[Victim, ...] = ()


def read(path: str) -> Exit:
    """The end that the monitor recorded, without memory kills. Unknown/255 without a file.

    Raises OSError if the file exists and cannot be read.
    """
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            code = conmon.parse_exit_file(file.read(64))
            finished_at = os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return Exit(code=UNKNOWN_CODE, reason=UNKNOWN, finished_at=time.time_ns())
    return Exit(code=code, reason=ERROR if code else COMPLETED, finished_at=finished_at)


def write(path: str, wait_status: int) -> None:
    """Leave the exit code of a wait status where `read` looks for it, unless the monitor has done so."""
    code = os.waitstatus_to_exitcode(wait_status)
    with contextlib.suppress(OSError):  # without it the end is Unknown, which is true as well
        write_new(path, str(code if code >= 0 else 128 - code).encode(), mode=0o600)


def memory_kills(counters: Counters | None, victims: tuple[Victim, ...], oom_file: str) -> MemoryKills:
    """What the kernel's counters and log say together.

    There are no `counters` when the cgroup has gone, as systemd's go with their last process. Then the log says it,
    or that the monitor, which listens while the container runs, left `oom_file`.
    """
    if counters is None:
        return MemoryKills(processes=len(victims) or int(os.path.exists(oom_file)), victims=victims)
    return MemoryKills(processes=counters.processes, groups=counters.groups, victims=victims)


def judge(end: Exit, pid: int, kills: MemoryKills) -> Exit:
    """The end of a container whose first process was `pid`, in the light of what was killed for memory.

    It is OOMKilled when that process was killed for memory, alone or with the group. The message names other
    processes that were killed, which the first one may have survived.
    """
    if not kills.processes or end.reason == UNKNOWN:
        return end
    if end.code == KILLED_CODE and _hit_first(pid, kills):
        return dataclasses.replace(end, reason=OOM_KILLED)
    return dataclasses.replace(end, message=_message(kills))


def _hit_first(pid: int, kills: MemoryKills) -> bool:
    """If the log does not name all victims, the first process, which was killed by somebody, is taken for one."""
    if kills.groups or len(kills.victims) < kills.processes:
        return True
    return any(victim.pid == pid for victim in kills.victims)


def _message(kills: MemoryKills) -> str:
    named = [f"{_shown(victim.name)} (PID {victim.pid})" for victim in kills.victims[:NAMED_LIMIT]]
    unnamed = max(kills.processes, len(kills.victims)) - len(named)
    if unnamed:
        others = "more" if named else "of the container's processes"
        named.append(f"{unnamed} {others}")
    return f"the kernel killed for memory: {', '.join(named)}"


def _shown(name: str) -> str:
    """A process chooses its own name, which may hold anything."""
    return "".join(one if one.isprintable() else "?" for one in name)
