"""A growing number of pods, with a measurement at every step.

Shared by suites that measure growth: each has a probe, and one growth runs all of them.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from podwright.bench.suites.base import Bench, seconds_since
from podwright.bench.targets.base import StartedPod

Probe = Callable[[Bench, Sequence[StartedPod]], Awaitable[None]]
CONCURRENCY = 8


async def grow(bench: Bench, probes: Sequence[Probe]) -> None:
    """Start pods up to each step and run the probes there, then remove them. Slow targets skip later steps."""
    pods: list[StartedPod] = []
    failed = 0
    for step in bench.options.steps:
        began = time.perf_counter()
        wanted = step - len(pods) - failed
        made = await bench.start_pods(wanted, CONCURRENCY, at={"up_to": step})
        failed += wanted - len(made)
        pods += made
        taken_s = seconds_since(began)
        for probe in probes:
            await probe(bench, pods)
        if taken_s > bench.options.step_limit_s and step != bench.options.steps[-1]:
            bench.sheet.gap(f"more than {step} pods: {wanted} more took {taken_s:.0f} s")
            break
    await bench.end_pods(pods, CONCURRENCY, at={"all_of": len(pods)})
