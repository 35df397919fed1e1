"""Pods started one at a time, then concurrently: latency of each call, pods per second, CPU and memory per pod.

All pods of a batch run before the first is removed, with the same concurrency.
"""

from __future__ import annotations

import time

from podwright.bench.recorder import BYTES, MS, PER_SECOND
from podwright.bench.suites.base import CPU_PER_START, DAEMON_PSS, MONITORS_PSS, Bench, seconds_since

PODS_PER_S = "pods/s"


async def measure(bench: Bench) -> None:
    """One batch at each concurrency."""
    await bench.warm_up()
    idle = await bench.footprint([])
    if idle is None:
        bench.sheet.gap("memory and CPU: the daemon's process cannot be told")
    else:
        bench.sheet.add(DAEMON_PSS, idle.daemon_bytes, BYTES, at={"pods": 0})
    for concurrency in bench.options.concurrencies:
        await _batch(bench, concurrency)


async def _batch(bench: Bench, concurrency: int) -> None:
    count = max(bench.options.pods, 2 * concurrency)  # fewer would not reach the concurrency
    before = await bench.footprint([])
    began = time.perf_counter()
    pods = await bench.start_pods(count, concurrency, at={"concurrency": concurrency})
    wall_s = seconds_since(began)
    if pods:
        after = await bench.footprint(pods)
        bench.sheet.add(PODS_PER_S, len(pods) / wall_s, PER_SECOND, at={"concurrency": concurrency})
        if before and after:
            cpu_ms = (after.cpu_s - before.cpu_s) * 1000 / len(pods)
            bench.sheet.add(CPU_PER_START, cpu_ms, MS, at={"concurrency": concurrency})
            bench.sheet.add(MONITORS_PSS, after.monitors_bytes / len(pods), BYTES, at={"concurrency": concurrency})
    await bench.end_pods(pods, concurrency, at={"concurrency": concurrency})
