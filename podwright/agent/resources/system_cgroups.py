"""Moves this agent and the programs of the system to cgroups of their own, so that they are measured separately.

As in the kubelet (pkg/kubelet/cm/container_manager_linux.go of Kubernetes 1.36), the agent moves itself to
`kubeletCgroups`, and all other processes that are in no cgroup to `systemCgroups`. It repeats that each minute for new
processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os

from podwright.agent.resources import cgroupfs
from podwright.agent.resources.limits import CgroupLimits
from podwright.errors import FailedPrecondition, Internal, reason
from podwright.linux.cgroup import CgroupHost, read_file

log = logging.getLogger(__name__)

PERIOD_S = 60.0
ROUNDS = 10  # processes may fork while they are moved
INIT = 1


class SystemCgroups:
    """Keeps processes in the configured cgroups. An empty name means none."""

    def __init__(self, host: CgroupHost, *, agent: str, system: str, oom_score_adj: int) -> None:
        """Raises FailedPrecondition if the system's cgroup is the root."""
        if system and not system.strip("/"):
            raise FailedPrecondition('system container cannot be root ("/")', hint="change systemCgroups")
        self._host = host
        self._agent = agent
        self._system = system
        self._oom_score_adj = oom_score_adj

    async def start(self) -> None:
        """Make the cgroups and move the processes. Raises Internal for cgroups that cannot be made."""
        set_oom_score_adj(self._oom_score_adj)
        for path in filter(None, (self._system, self._agent)):
            try:
                await asyncio.to_thread(cgroupfs.make, self._host, path, CgroupLimits())
            except OSError as failure:
                raise Internal(
                    f"cgroup {path} cannot be made: {reason(failure)}",
                    hint="check that cgroups are mounted read-write",
                ) from failure
        await asyncio.to_thread(self._keep)

    async def run(self) -> None:
        """Move new processes each minute, forever."""
        while self._agent or self._system:
            await asyncio.sleep(PERIOD_S)
            await asyncio.to_thread(self._keep)

    def _keep(self) -> None:
        if self._agent:
            move(self._host, [os.getpid()], self._agent)
        if self._system:
            move_all(self._host, "/", self._system)


def move(host: CgroupHost, pids: list[int], path: str) -> None:
    """Move processes to a cgroup in every hierarchy. Failures are logged, except for processes that have ended."""
    for directory in host.directories(path):
        _move(pids, directory)


def move_all(host: CgroupHost, source: str, path: str) -> None:
    """Move all processes that are in the cgroup `source` itself, except init and the kernel's threads."""
    for origin, target in zip(host.directories(source), host.directories(path), strict=True):
        for _ in range(ROUNDS):
            pids = [pid for pid in _members(origin) if pid != INIT and not _is_of_kernel(pid)]
            if not pids or not _move(pids, target):
                break


def set_oom_score_adj(score: int) -> None:
    """Set how readily the kernel kills this process when memory runs out. A refusal is logged (capabilities(7))."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(score))
    except OSError as failure:
        log.warning("the oomScoreAdj cannot be set: score=%d error=%s", score, failure.strerror)


def _move(pids: list[int], directory: str) -> bool:
    """Move processes. Returns whether any of them was moved."""
    moved, failure = False, None
    for pid in pids:
        try:
            with open(f"{directory}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(pid))
            moved = True
        except ProcessLookupError:
            continue
        except OSError as problem:
            failure = problem
    if failure is not None:
        log.warning("processes cannot be moved: cgroup=%s error=%s", directory, failure.strerror)
    return moved


def _members(directory: str) -> list[int]:
    return [int(word) for word in (read_file(f"{directory}/cgroup.procs") or "").split()]


def _is_of_kernel(pid: int) -> bool:
    """Whether a process has no program: a thread of the kernel, or a process that has ended."""
    with contextlib.suppress(PermissionError):
        try:
            os.readlink(f"/proc/{pid}/exe")
        except FileNotFoundError:
            return True
    return False
