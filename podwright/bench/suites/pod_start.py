"""The first suite: N pods started `concurrency` at once, asked for a command, weighed, and taken down.

All N run at the same time before the first is taken down, so that memory per pod is that of a node in use.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from podwright.bench.memory import monitors_pss_bytes, pss_bytes
from podwright.bench.pods import PodMaker, StartedPod, StopTimes
from podwright.bench.stats import Summary, summarise

Item = TypeVar("Item")
Result = TypeVar("Result")


class PodStartResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="suite", tag="pod_start"):
    """`latency_ms` is by CRI call; `start` sums the three calls of a start, `teardown` the two of an end.

    ExecSync is called one at a time. Memory is None where /proc did not tell. `pss_per_pod_bytes` are the
    monitors (conmon, shims); the containers' own processes are not counted.
    """

    concurrency: int
    pods: int
    start_wall_s: float
    pods_per_s: float
    latency_ms: dict[str, Summary]
    pss_per_pod_bytes: int | None
    daemon_pss_bytes: int | None


async def measure(maker: PodMaker, *, pods: int, warmup: int, concurrency: int, daemon: int | None) -> PodStartResult:
    """Run the suite; `daemon` is the runtime's process, if known. Raises a PodwrightError.

    The caller sweeps when this fails or is cancelled.
    """
    for pod in await side_by_side(range(warmup), lambda _: maker.start(), concurrency):
        await maker.execute(pod)
        await maker.stop(pod)
    began = time.perf_counter()
    started = await side_by_side(range(pods), lambda _: maker.start(), concurrency)
    wall_s = time.perf_counter() - began
    ids = [identity for pod in started for identity in (pod.sandbox_id, pod.container_id)]
    monitors = await asyncio.to_thread(monitors_pss_bytes, ids, without=(daemon,) if daemon else ())
    daemon_pss = pss_bytes(daemon) if daemon else None
    executed_ms = [await maker.execute(pod) for pod in started]
    stopped = await side_by_side(started, maker.stop, concurrency)
    return PodStartResult(
        concurrency=concurrency,
        pods=pods,
        start_wall_s=wall_s,
        pods_per_s=pods / wall_s,
        latency_ms=_summaries(started, executed_ms, stopped),
        pss_per_pod_bytes=monitors // pods if daemon else None,
        daemon_pss_bytes=daemon_pss,
    )


async def side_by_side(
    items: Sequence[Item], act: Callable[[Item], Awaitable[Result]], concurrency: int
) -> list[Result]:
    """`act` on every item, `concurrency` at a time; results in the order of the items.

    The first failure cancels the rest and is raised.
    """
    results: dict[int, Result] = {}
    waiting = iter(enumerate(items))

    async def worker() -> None:
        for index, item in waiting:
            results[index] = await act(item)

    workers = [asyncio.create_task(worker()) for _ in range(min(concurrency, len(items)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [results[index] for index in range(len(items))]


def _summaries(
    started: Sequence[StartedPod], executed_ms: Sequence[float], stopped: Sequence[StopTimes]
) -> dict[str, Summary]:
    return {
        "RunPodSandbox": summarise([pod.times.sandbox_ms for pod in started]),
        "CreateContainer": summarise([pod.times.create_ms for pod in started]),
        "StartContainer": summarise([pod.times.start_ms for pod in started]),
        "start": summarise([pod.times.sum_ms for pod in started]),
        "ExecSync": summarise(executed_ms),
        "StopPodSandbox": summarise([times.stop_ms for times in stopped]),
        "RemovePodSandbox": summarise([times.remove_ms for times in stopped]),
        "teardown": summarise([times.sum_ms for times in stopped]),
    }
