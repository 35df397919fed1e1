"""Reads one cgroup's files: each controller's on v1 or v2, and pressure from the v2 hierarchy.

A hybrid host has its controllers on v1 and a v2 hierarchy without controllers, which still reports pressure. A path
without a cgroup reads like one without values.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Protocol

from podwright.linux import huge_pages
from podwright.linux.cgroup import CgroupHost
from podwright.linux.pressure import Stalls, parse_pressure
from podwright.runtime.model.usage import (
    CpuTimes,
    DeviceIo,
    HugePageUsage,
    MemoryDetails,
    MemoryUsage,
    Pids,
    SwapUsage,
    Usage,
)
from podwright.runtime.stats import parse, v1, v2
from podwright.runtime.stats.v1 import Read


class Files(Protocol):
    """The functions that the modules v1 and v2 share."""

    def cpu_ns(self, read: Read, directory: str, /) -> int | None: ...
    def memory(self, read: Read, directory: str, /) -> MemoryUsage | None: ...
    def swap(self, read: Read, directory: str, in_memory: MemoryUsage, /) -> SwapUsage | None: ...
    def cpu_times(self, read: Read, cpuacct: str, cpu: str, /) -> CpuTimes: ...
    def memory_details(self, read: Read, directory: str, /) -> MemoryDetails: ...
    def devices(self, read: Read, directory: str, /) -> tuple[DeviceIo, ...]: ...
    def huge_pages(self, read: Read, directory: str, page_sizes: Iterable[str], /) -> tuple[HugePageUsage, ...]: ...


class CgroupReader:
    """`read` returns a file's content, empty if absent. `pressure` is whether this kernel measures pressure (PSI)."""

    def __init__(
        self, host: CgroupHost, read: Read, *, pressure: bool | None = None, page_sizes: Iterable[str] | None = None
    ) -> None:
        self._host = host
        self._read = read
        has_psi = os.path.exists("/proc/pressure/cpu") if pressure is None else pressure
        self._pressure_root = host.unified if has_psi else None
        self._page_sizes = tuple(huge_pages.sizes() if page_sizes is None else page_sizes)
        self._cpu = self._files_of("cpuacct")
        self._memory = self._files_of("memory")

    def _files_of(self, controller: str) -> Files:
        return v1 if controller in self._host.controllers else v2

    def usage(self, path: str) -> Usage | None:
        """A cgroup's usage without the CPU rate, or None if the cgroup does not exist."""
        cpu_ns, memory = self.cpu_ns(path), self.memory(path)
        if cpu_ns is None and memory is None:
            return None
        return Usage(
            timestamp=time.time_ns(),
            cpu_ns=cpu_ns,
            cpu_psi=self._psi(path, "cpu"),
            memory=memory,
            memory_psi=self._psi(path, "memory"),
            swap=None if memory is None else self._swap(path, memory),
            io_psi=self._psi(path, "io"),
        )

    def cpu_ns(self, path: str) -> int | None:
        """The CPU time used. v2 counts it in every cgroup, even without the controller."""
        directory = self._host.directory(path, "cpuacct")
        return None if directory is None else self._cpu.cpu_ns(self._read, directory)

    def memory(self, path: str) -> MemoryUsage | None:
        """Memory in use."""
        directory = self._host.directory(path, "memory")
        return None if directory is None else self._memory.memory(self._read, directory)

    def _swap(self, path: str, memory: MemoryUsage) -> SwapUsage | None:
        directory = self._host.directory(path, "memory")
        return None if directory is None else self._memory.swap(self._read, directory, memory)

    def _psi(self, path: str, resource: str) -> Stalls | None:
        if self._pressure_root is None:
            return None
        return parse_pressure(self._read(f"{self._pressure_root}{path}/{resource}.pressure"))

    def tasks(self, path: str) -> int:
        """The number of tasks in the cgroup and below it. 0 if it is not counted."""
        directory = self._host.directory(path, "pids")
        return 0 if directory is None else parse.number(self._read(f"{directory}/pids.current")) or 0

    def pids(self, path: str) -> Pids | None:
        """Tasks and their limit."""
        directory = self._host.directory(path, "pids")
        tasks = None if directory is None else parse.number(self._read(f"{directory}/pids.current"))
        if tasks is None:
            return None
        return Pids(tasks=tasks, limit=parse.limit(self._read(f"{directory}/pids.max")) or 0)

    def cpu_times(self, path: str) -> CpuTimes | None:
        """The cgroup's CpuTimes."""
        cpuacct, cpu = self._host.directory(path, "cpuacct"), self._host.directory(path, "cpu")
        return None if cpuacct is None else self._cpu.cpu_times(self._read, cpuacct, cpu or cpuacct)

    def memory_details(self, path: str) -> MemoryDetails | None:
        """The cgroup's MemoryDetails."""
        directory = self._host.directory(path, "memory")
        return None if directory is None else self._memory.memory_details(self._read, directory)

    def devices(self, path: str) -> tuple[DeviceIo, ...]:
        """Reads and writes by device. Empty before the first of them."""
        name = "blkio" if "blkio" in self._host.controllers else "io"
        directory = self._host.directory(path, name)
        return () if directory is None else self._files_of(name).devices(self._read, directory)

    def huge_pages(self, path: str) -> tuple[HugePageUsage, ...]:
        """Huge pages, for each size of this machine."""
        directory = self._host.directory(path, "hugetlb")
        if directory is None:
            return ()
        return self._files_of("hugetlb").huge_pages(self._read, directory, self._page_sizes)

    def task_directory(self, path: str) -> str | None:
        """The directory with the cgroup's list of processes: in the hierarchy that counts its tasks."""
        return self._host.directory(path, "pids") or self._host.directory(path, "memory")
