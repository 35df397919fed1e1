"""The kubelet's relist: lists of all pods and all containers once a second, while nothing happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from podwright.bench import processes
from podwright.bench.recorder import PERCENT_OF_CORE
from podwright.bench.suites import growth
from podwright.bench.suites.base import Bench
from podwright.bench.targets.base import StartedPod
from podwright.bench.timing import timed_ms

PERIOD_S = 1.0
SETTLE_S = 0.5  # for the daemon to finish work left by the starts
RELIST = "relist"
CPU = "CPU of a relist each second"


async def measure(bench: Bench) -> None:
    """Grow the pods for this suite alone, unless `density` runs as well: the pods are the expensive part."""
    if "density" not in bench.options.suites:
        await growth.grow(bench, (probe,))


async def probe(bench: Bench, pods: Sequence[StartedPod]) -> None:
    """One sample of latency and of the daemon's CPU per second. Raises a PodwrightError."""
    sheet = bench.sheet.of("relist")
    await asyncio.sleep(SETTLE_S)
    for _ in range(bench.options.relists):
        began, before_ns = time.perf_counter(), _running_ns(bench.daemons)
        _, taken_ms = await timed_ms(bench.target.relist())
        await asyncio.sleep(max(0.0, PERIOD_S - (time.perf_counter() - began)))
        sheet.add(RELIST, taken_ms, at={"pods": len(pods)})
        if bench.daemons:
            used_s = max(0, _running_ns(bench.daemons) - before_ns) / 1e9
            sheet.add(CPU, 100 * used_s / (time.perf_counter() - began), PERCENT_OF_CORE, at={"pods": len(pods)})


def _running_ns(daemons: tuple[int, ...]) -> int:
    return sum(processes.running_ns(pid) for daemon in daemons for pid in processes.daemon_family(daemon))
