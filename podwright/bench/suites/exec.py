"""Commands in a running container, by ExecSync and through a stream, and port-forwards to a pod."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from podwright.bench.recorder import PER_SECOND
from podwright.bench.suites.base import Bench, seconds_since
from podwright.bench.suites.port_forward import port_forward
from podwright.bench.targets.base import StartedPod
from podwright.bench.timing import side_by_side, timed_ms
from podwright.errors import Unimplemented

WARMUP = 3
CONCURRENCIES = (1, 4, 16)


async def measure(bench: Bench) -> None:
    """Run everything on one pod."""
    await bench.warm_up()
    pod = await bench.target.start_pod()
    for concurrency in CONCURRENCIES:
        await _rate(bench, "ExecSync", bench.target.exec_sync, pod, concurrency)
    try:
        for concurrency in CONCURRENCIES[:2]:
            await _rate(bench, "exec stream", bench.target.exec_stream, pod, concurrency)
    except Unimplemented as failure:
        bench.sheet.gap(failure.message)
    await bench.target.end_pod(pod)
    try:
        await port_forward(bench)
    except Unimplemented as failure:
        bench.sheet.gap(failure.message)


async def _rate(
    bench: Bench, name: str, execute: Callable[[str], Awaitable[None]], pod: StartedPod, concurrency: int
) -> None:
    """The latency of each exec, and the number per second. Raises what the warm-up raises."""
    for _ in range(WARMUP):
        await execute(pod.container_id)

    async def one(_: int) -> None:
        _done, taken_ms = await timed_ms(execute(pod.container_id))
        bench.sheet.add(name, taken_ms, at={"concurrency": concurrency})

    async def counted(number: int) -> None:
        await bench.sheet.counted(name, lambda: one(number), at={"concurrency": concurrency})

    began = time.perf_counter()
    await side_by_side(range(bench.options.execs), counted, concurrency)
    bench.sheet.add(
        f"{name}/s", bench.options.execs / seconds_since(began), PER_SECOND, at={"concurrency": concurrency}
    )
