"""What every suite gets, and parts that several suites share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence

import msgspec

from podwright.bench import processes
from podwright.bench.options import BenchOptions
from podwright.bench.recorder import At, Sheet
from podwright.bench.targets.base import BenchTarget, StartedPod
from podwright.bench.timing import side_by_side
from podwright.errors import PodwrightError

POD_START = "pod start"
TEARDOWN = "teardown"
CPU_PER_START = "CPU per pod start"
DAEMON_PSS = "daemon PSS"
MONITORS_PSS = "monitors' PSS per pod"


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """One target, its sheet, and the amount of work. `daemons` are the target's processes: its own, and that
    of an Engine below it. Empty if they are not known.
    """

    target: BenchTarget
    sheet: Sheet
    options: BenchOptions
    daemons: tuple[int, ...]

    async def start_pods(self, count: int, concurrency: int, at: At) -> list[StartedPod]:
        """Start pods concurrently and record each step. Failed ones are counted and left to the sweep."""

        async def start(_: int) -> StartedPod | None:
            try:
                return await self.target.start_pod()
            except PodwrightError as failure:
                self.sheet.fail(POD_START, failure, at=at)
                return None

        pods = [pod for pod in await side_by_side(range(count), start, concurrency) if pod]
        for pod in pods:
            self.sheet.add_steps(pod.steps_ms, at=at)
            self.sheet.add(POD_START, pod.sum_ms, at=at)
        return pods

    async def end_pods(self, pods: Sequence[StartedPod], concurrency: int, at: At) -> None:
        """Stop and remove pods, and record each step."""

        async def end(pod: StartedPod) -> None:
            steps_ms = await self.target.end_pod(pod)
            self.sheet.add_steps(steps_ms, at=at)
            self.sheet.add(TEARDOWN, sum(steps_ms.values()), at=at)

        await side_by_side(pods, self._counting(TEARDOWN, end, at), concurrency)

    async def warm_up(self) -> None:
        """Start and end pods that do not count."""
        pods = [await self.target.start_pod() for _ in range(self.options.warmup)]
        for pod in pods:
            await self.target.exec_sync(pod.container_id)
            await self.target.end_pod(pod)

    def _counting(
        self, name: str, act: Callable[[StartedPod], Awaitable[None]], at: At
    ) -> Callable[[StartedPod], Awaitable[None]]:
        async def counted(pod: StartedPod) -> None:
            await self.sheet.counted(name, lambda: act(pod), at=at)

        return counted

    async def footprint(self, pods: Sequence[StartedPod]) -> Footprint | None:
        """The usage of the daemon and of these pods' monitors, or None if /proc does not show it."""
        if not self.daemons:
            return None
        monitored = await self.target.monitored(pods)
        return await asyncio.to_thread(_footprint, self.daemons, monitored)


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """The daemons with their children, and the monitors. `cpu_s` is of all, with children that were waited for."""

    daemon_bytes: int
    monitors_bytes: int
    cpu_s: float


def _footprint(daemons: tuple[int, ...], monitored: Collection[str]) -> Footprint:
    monitors = processes.monitors(monitored, without=daemons)
    family = {pid for daemon in daemons for pid in processes.daemon_family(daemon, without=monitors)}
    return Footprint(
        daemon_bytes=sum(processes.pss_bytes(pid) or 0 for pid in family),
        monitors_bytes=sum(processes.pss_bytes(pid) or 0 for pid in monitors if pid not in family),
        cpu_s=sum(processes.cpu_s(pid) for pid in family.union(monitors)),
    )


def seconds_since(began: float) -> float:
    """Seconds since a `time.perf_counter`."""
    return time.perf_counter() - began
