"""A node agent (the kubelet, `podwright agent` or another) that makes pods from manifests: its speed and its cost.

The runtime's own time comes first, for pods made by CRI directly, because a kubelet ends all pods that it does not
know. Then the agent makes one pod at a time and many at once, is left idle, gets fewer pods, and is restarted with
the rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec

from podwright.bench.agents.runtime_view import RuntimeView
from podwright.bench.agents.session import CALM_S, AgentSession, open_session
from podwright.bench.recorder import BYTES, MS, PERCENT_OF_CORE
from podwright.bench.stats import percentile
from podwright.bench.suites.base import Bench, seconds_since
from podwright.bench.targets.base import StartedPod
from podwright.bench.timing import side_by_side
from podwright.cri.client import CriClient
from podwright.errors import Internal

STARTED = "manifest to container start"
SEEN = "manifest to running in /pods"
OWN = "the runtime's own pod start"
ADDED = "added by the agent"
ALL_STARTED = "all containers started"
ALL_SEEN = "all running in /pods"
ALL_OWN = "the runtime's own start of all"
GONE = "manifest removed to pod ended"
ALL_GONE = "all manifests removed to pods ended"
CPU_PER_START = "agent CPU per pod start"
IDLE_CPU = "idle agent CPU"
PSS = "agent PSS"
RESTART = "agent killed to /pods right again"

LIMIT_S = 300.0
CLOSE_POLL_S = 0.005  # where the sample comes from the poll
WIDE_POLL_S = 0.02  # where many pods are listed
AFTERWORK_S = 1.0  # of an agent, once its pods run
QUIET_S = 3.0  # before an idle node is measured


async def measure(bench: Bench) -> None:
    """The whole suite, with one agent. Raises a PodwrightError."""
    if not bench.target.options.agent:
        bench.sheet.gap("no node agent was given (--agent)")
        return
    if bench.target.options.kind != "cri":
        bench.sheet.gap("a node agent needs CRI")
        return
    async with CriClient(bench.target.options.endpoint) as cri:
        runtime = RuntimeView(cri, bench.target.run_id)
        own_ms = await own_starts_ms(bench, runtime)
        await own_burst(bench)
        async with open_session(bench.target, runtime, image=bench.options.image) as session:
            await AgentBench(bench=bench, session=session, own_ms=percentile(own_ms, 50)).run()


async def own_starts_ms(bench: Bench, runtime: RuntimeView) -> list[float]:
    """The time from the request for a pod until its container starts, one at a time."""
    await bench.warm_up()
    pods = [await _own_pod(bench, runtime) for _ in range(bench.options.pods)]
    for pod, own_ms in pods:
        bench.sheet.add(OWN, own_ms)
        await bench.target.end_pod(pod)
    return [own_ms for _, own_ms in pods]


async def _own_pod(bench: Bench, runtime: RuntimeView) -> tuple[StartedPod, float]:
    asked_ns = time.time_ns()
    pod = await bench.target.start_pod()
    return pod, (await runtime.started_ns(pod.container_id) - asked_ns) / 1e6


async def own_burst(bench: Bench) -> None:
    """A burst of pods without the agent, as large as its first one, from the first request to the last answer."""
    count, target = bench.options.agent_pods[0], bench.target
    began = time.perf_counter()
    pods = await side_by_side(range(count), lambda _: target.start_pod(), count)
    bench.sheet.add(ALL_OWN, seconds_since(began) * 1000, at={"at_once": count})
    await side_by_side(pods, target.end_pod, count)


class AgentBench(msgspec.Struct, frozen=True, kw_only=True):
    """The agent under measurement. `own_ms` is the runtime's own time for a pod.

    Every step raises a PodwrightError.
    """

    bench: Bench
    session: AgentSession
    own_ms: float

    async def run(self) -> None:
        """Run the steps. All pods are gone at the end."""
        first, *_ = steps = self.bench.options.agent_pods
        await self.warm_up()
        await self.footprint([])
        await self.one_at_a_time()
        pods: list[str] = []
        for step in steps:
            pods += await self.burst(step - len(pods), beside=len(pods))
            await self.idle(pods)
        await self.end_all(pods[first:])
        await self.restart(pods[:first])
        await self.end_all(pods[:first])

    async def warm_up(self) -> None:
        """Start pods that do not count, at least one, so that the agent has connected to its runtime."""
        names = list(self.session.manifests.add(max(1, self.bench.options.warmup)))
        await self.seen(names, CLOSE_POLL_S)
        self.session.manifests.remove(names)
        await self.ended(names)

    async def one_at_a_time(self) -> None:
        """Start pods, each beside the earlier ones, and end them."""
        names = [await self.one_pod() for _ in range(self.bench.options.pods)]
        for name in names:
            began = time.perf_counter()
            self.session.manifests.remove([name])
            await self.ended([name])
            self.bench.sheet.add(GONE, seconds_since(began) * 1000)

    async def one_pod(self) -> str:
        """Start one pod and record its times. Returns its name."""
        [(name, appeared_ns)] = self.session.manifests.add(1).items()
        containers = await self.seen([name], CLOSE_POLL_S)
        seen_ms = (time.time_ns() - appeared_ns) / 1e6
        started_ms = (await self.session.runtime.started_ns(containers[name]) - appeared_ns) / 1e6
        self.bench.sheet.add_steps({STARTED: started_ms, ADDED: started_ms - self.own_ms, SEEN: seen_ms})
        return name

    async def burst(self, count: int, *, beside: int) -> list[str]:
        """Start pods all at once, record their times and the agent's cost. Returns their names."""
        sheet, program = self.bench.sheet, self.session.program
        at = {"at_once": count, **({"pods": beside} if beside else {})}
        await asyncio.sleep(CALM_S)
        before_s = program.cpu_s()
        appeared_ns = self.session.manifests.add(count)
        began_ns = min(appeared_ns.values())
        # Poll the runtime until it has all of them, so that polling does not load the agent.
        await self.started(list(appeared_ns))
        containers = await self.seen(list(appeared_ns), WIDE_POLL_S)
        sheet.add(ALL_SEEN, (time.time_ns() - began_ns) / 1e6, at=at)
        await asyncio.sleep(AFTERWORK_S)
        sheet.add(CPU_PER_START, (program.cpu_s() - before_s) * 1000 / count, MS, at=at)
        started_ns = await self.session.runtime.all_started_ns([containers[name] for name in appeared_ns])
        sheet.add(ALL_STARTED, (max(started_ns) - began_ns) / 1e6, at=at)
        for appeared, started in zip(appeared_ns.values(), started_ns, strict=True):
            sheet.add(STARTED, (started - appeared) / 1e6, at=at)
        return list(appeared_ns)

    async def idle(self, pods: Sequence[str]) -> None:
        """The agent's usage while nothing happens."""
        program, at = self.session.program, {"pods": len(pods)}
        await asyncio.sleep(min(QUIET_S, self.bench.options.idle_s))
        began, before_s = time.perf_counter(), program.cpu_s()
        await asyncio.sleep(self.bench.options.idle_s)
        used_s = program.cpu_s() - before_s
        self.bench.sheet.add(IDLE_CPU, 100 * used_s / seconds_since(began), PERCENT_OF_CORE, at=at)
        await self.footprint(pods)

    async def footprint(self, pods: Sequence[str]) -> None:
        """The agent's memory."""
        used_bytes = await asyncio.to_thread(self.session.program.pss_bytes)
        self.bench.sheet.add(PSS, used_bytes, BYTES, at={"pods": len(pods)})

    async def restart(self, pods: Sequence[str]) -> None:
        """Kill the agent, start it again, and check that it keeps its pods unchanged."""
        program, at = self.session.program, {"pods": len(pods)}
        await asyncio.sleep(CALM_S)
        before = (await self.session.runtime.snapshot()).running
        began = time.perf_counter()
        await program.kill()
        await program.start()
        await self.seen(pods, CLOSE_POLL_S)
        self.bench.sheet.add(RESTART, seconds_since(began) * 1000, at=at)
        after = (await self.session.runtime.snapshot()).running
        if changed := [name for name in pods if before.get(name) != after.get(name)]:
            self.bench.sheet.fail(RESTART, Internal(f"{len(changed)} of {len(pods)} containers were replaced"), at=at)

    async def end_all(self, pods: Sequence[str]) -> None:
        """Remove all these manifests at once."""
        if pods:
            began = time.perf_counter()
            self.session.manifests.remove(pods)
            await self.ended(pods)
            self.bench.sheet.add(ALL_GONE, seconds_since(began) * 1000, at={"at_once": len(pods)})

    async def started(self, names: Sequence[str]) -> None:
        """Wait until the runtime runs a container of each pod."""

        async def look() -> bool | None:
            return True if (await self.session.runtime.snapshot()).running.keys() >= set(names) else None

        await self.session.program.wait(look, f"start of {len(names)} pods", limit_s=LIMIT_S, poll_s=WIDE_POLL_S)

    async def seen(self, names: Sequence[str], poll_s: float) -> Mapping[str, str]:
        """Wait until `/pods` reports all as running. Returns their containers' ids."""

        async def look() -> Mapping[str, str] | None:
            running = await self.session.program.running()
            return running if running.keys() >= set(names) else None

        return await self.session.program.wait(look, f"{len(names)} pods in /pods", limit_s=LIMIT_S, poll_s=poll_s)

    async def ended(self, names: Sequence[str]) -> None:
        """Wait until the runtime runs nothing of them."""

        async def look() -> bool | None:
            return None if (await self.session.runtime.snapshot()).alive.intersection(names) else True

        await self.session.program.wait(look, f"end of {len(names)} pods", limit_s=LIMIT_S, poll_s=CLOSE_POLL_S)
