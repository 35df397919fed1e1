"""One pull under the clock: wall time, CPU time of all that took part, memory of the server and its children."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.pull_bench.pullers import Puller

TICKS_S = os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """`cpu_s` includes client programs and the kernel's work in system calls, not its writing back later.

    `daemon_bytes` is the most resident memory of the server during the pull, `children_bytes` that of its children
    (sampled); both 0 where there is no server.
    """

    wall_s: float
    cpu_s: float
    daemon_bytes: int
    children_bytes: int


def measure(puller: Puller, image: str) -> Sample:
    """Pull once. The disk's queue is emptied before, so that nobody pays for somebody else's writes."""
    subprocess.run(["sync", "--file-system", puller.part.directory], check=True)
    pid = puller.daemon
    if pid is not None:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak starts again here
    cpu_s = _cpu_s(pid)
    with _children_watched(pid) as peak:
        began = time.perf_counter()
        puller.pull(image)
        wall_s = time.perf_counter() - began
    return Sample(
        wall_s=wall_s,
        cpu_s=_cpu_s(pid) - cpu_s,
        daemon_bytes=_high_water_bytes(pid) if pid is not None else 0,
        children_bytes=peak[0],
    )


def _cpu_s(pid: int | None) -> float:
    """The CPU time of the server with the children that it has waited for, and of our own children, the clients."""
    clients = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = clients.ru_utime + clients.ru_stime
    if pid is not None:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15])) / TICKS_S  # utime, stime, cutime, cstime: proc(5)
    return total


def _high_water_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


@contextlib.contextmanager
def _children_watched(pid: int | None) -> Iterator[list[int]]:
    """Samples what the children of `pid` take together; the first item is the most."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while pid is not None and not done.wait(SAMPLE_S):
            peak[0] = max(peak[0], sum(map(_quietly_high_water, _children(pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _quietly_high_water(pid: int) -> int:
    with contextlib.suppress(OSError):
        return _high_water_bytes(pid)
    return 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found
