"""Which containers the kernel ended because memory ran out: the reason that CRI shows. Pure except for `seen`."""

from __future__ import annotations

import asyncio
import signal

import msgspec

from podwright.linux import memory_kills as kernel
from podwright.linux.cgroup import CgroupHost
from podwright.linux.memory_kills import Counters, Logged, Victim
from podwright.runtime.handlers.protocol import OOM_KILLED, UNKNOWN, Exit

KILLED_CODE = 128 + signal.SIGKILL
NAMED_LIMIT = 5  # victims in a message


class MemoryKills(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of kills for memory in a container's cgroup.

    `processes` were killed, `groups` times all of the cgroup at once (memory.oom.group). `victims` are those that the
    kernel's log names, some or all of them.
    """

    processes: int = 0
    groups: int = 0
    victims: tuple[Victim, ...] = ()


async def seen(cgroups: CgroupHost, path: str, *, reported: bool) -> MemoryKills:
    """The kills in a cgroup. The kernel's log is read only when there was one, or nobody counts them any more."""
    counters = kernel.counters(cgroups, path)
    looks = counters is None or counters.processes
    logged = await asyncio.to_thread(kernel.logged, path) if looks else Logged()
    return memory_kills(counters, logged, reported=reported)


def memory_kills(counters: Counters | None, logged: Logged, *, reported: bool) -> MemoryKills:
    """What the kernel's counters and log say together.

    There are no `counters` when the cgroup has gone, as systemd's go with their last process. Then the log says it,
    or that somebody who listened while the container ran has `reported` a kill.
    """
    if counters is None:
        number = len(logged.victims) or logged.groups or int(reported)
        return MemoryKills(processes=number, groups=logged.groups, victims=logged.victims)
    return MemoryKills(processes=counters.processes, groups=counters.groups, victims=logged.victims)


def judge(end: Exit, pid: int, kills: MemoryKills) -> Exit:
    """The end of a container whose first process was `pid`, in the light of what was killed for memory.

    It is OOMKilled when that process was killed for memory, alone or with the group. The message names other
    processes that were killed, which the first one may have survived.
    """
    if not kills.processes or end.reason == UNKNOWN:
        return end
    if end.code == KILLED_CODE and _hit_first(pid, kills):
        return msgspec.structs.replace(end, reason=OOM_KILLED)
    return msgspec.structs.replace(end, message=_message(kills))


def _hit_first(pid: int, kills: MemoryKills) -> bool:
    """If the log does not name all victims, the first process counts as one if it was killed."""
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
