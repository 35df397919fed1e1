"""The eviction manager on virtual time: what it ends, in which order, and what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from podwright.agent.config.thresholds import Threshold, thresholds
from podwright.agent.eviction.admission import PressureCheck
from podwright.agent.eviction.layout import Garbage
from podwright.agent.eviction.manager import EvictionManager, EvictionPorts, EvictionSettings
from podwright.agent.metrics.eviction import EvictionMetrics
from podwright.agent.node.conditions import Pressure
from podwright.agent.stats.protocol import Filesystems
from podwright.agent.stats.records import NodeStats, PodStats, Rlimit
from podwright.agent.workers.ending import Cause
from podwright.errors import Internal, Unavailable
from podwright.k8s.objects import EmptyDirVolumeSource, Pod, ResourceRequirements, Toleration, Volume
from tests.agent.eviction.stats import filesystems, node, pod_stats, used
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.time import VirtualClock, run_virtual

ROUND_S = 10.0


def hard(**values: str) -> tuple[Threshold, ...]:
    return thresholds({key.replace("_", "."): text for key, text in values.items()}, None, None, None)


class MeasuredNode:
    """A StatsProvider whose numbers a test sets: 1000 bytes of memory and of disk."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.memory = self.disk = 1000
        self.used: dict[str, PodStats] = {}
        self.failure: Exception | None = None
        self.asked: list[str] = []

    async def node(self, *, fresh: bool = False) -> NodeStats:
        self.asked.append("node")
        if self.failure is not None:
            raise self.failure
        return node(available=self.memory, time_s=self._clock.monotonic())

    async def filesystems(self, *, fresh: bool = False) -> Filesystems:
        return filesystems(self.disk, time_s=self._clock.monotonic())

    async def pods(self, *, fresh: bool = False) -> tuple[PodStats, ...]:
        self.asked.append("pods")
        return tuple(self.used.values())

    async def pods_cpu_and_memory(self, *, fresh: bool = False) -> tuple[PodStats, ...]:
        self.asked.append("light")
        return tuple(self.used.values())

    async def node_cpu_and_memory(self) -> NodeStats:
        return await self.node()

    def pids(self) -> Rlimit:
        raise NotImplementedError


class Scene:
    """A node with pods, and what happens to them."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.stats = MeasuredNode(self.clock)
        self.pods: list[Pod] = []
        self.ended: list[tuple[str, Cause, int | None]] = []
        self.cleared: list[Garbage] = []
        self.freed_by_garbage = 0
        self.freed_by_pod = 1000
        self.clear_failure: Exception | None = None
        self.lingers_s = 0.0
        self.idle: set[str] = set()
        self.gone_at: dict[str, float] = {}
        self.changes = 0
        self.events = RecordedEvents()
        self.metrics = EvictionMetrics()
        ports = EvictionPorts(
            stats=self.stats,
            active=lambda: list(self.pods),
            ender=self,
            is_idle=lambda uid: uid in self.idle,
            is_finished=lambda uid: self.clock.monotonic() >= self.gone_at[uid],
            clear=self.clear,
            pressures_changed=self.changed,
            events=self.events,
            metrics=self.metrics,
            clock=self.clock,
        )
        self.manager = EvictionManager(ports, EvictionSettings(**{"thresholds": (), **settings}))

    def changed(self) -> None:
        self.changes += 1

    def add(self, *pods: Pod, working_set: int = 100) -> None:
        for each in pods:
            self.pods.append(each)
            self.stats.used[each.metadata.uid] = pod_stats(each.metadata.name, working_set=working_set)

    async def clear(self, garbage: Garbage) -> None:
        self.cleared.append(garbage)
        if self.clear_failure is not None:
            raise self.clear_failure
        self.stats.disk += self.freed_by_garbage

    async def end(self, pod: Pod, cause: Cause, grace_s: int | None = None) -> bool:
        self.ended.append((pod.metadata.name, cause, grace_s))
        self.pods.remove(pod)
        self.gone_at[pod.metadata.uid] = self.clock.monotonic() + self.lingers_s
        self.stats.memory += self.freed_by_pod
        return True

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.ended]


def with_scene(check: Callable[[Scene], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        scene = Scene(**settings)
        running = asyncio.create_task(scene.manager.run())
        try:
            await check(scene)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run_virtual(run())


def test_one_pod_goes_in_a_round_until_there_is_enough() -> None:
    async def check(scene: Scene) -> None:
        scene.freed_by_pod = 30
        scene.add(*(pod(f"p{index}") for index in range(4)))
        scene.stats.memory = 50
        await asyncio.sleep(1.5)
        assert scene.manager.pressures == {Pressure.MEMORY}
        assert len(scene.names) == 2  # 80 was still too little, 110 is enough
        await asyncio.sleep(60)
        assert len(scene.names) == 2
        assert scene.metrics.evictions.value("memory.available") == 2
        assert scene.metrics.stats_ages.count("memory.available") == 2
        assert scene.events.reasons("")[:2] == ["EvictionThresholdMet", "Evicted"]
        _, cause, grace_s = scene.ended[0]
        assert (cause.reason, cause.evicts, grace_s) == ("Evicted", True, 1)
        assert cause.message == cause.disruption
        assert cause.message.startswith(
            "The node was low on resource: memory. Threshold quantity: 100, available: 50. "
            "Container main was using 100, request is 0, "
        )
        assert scene.events.annotations[0]["starved_resource"] == "memory"
        assert "pods" not in scene.stats.asked  # disks are not measured for memory

    with_scene(check, thresholds=hard(memory_available="100"))


def test_a_pod_that_is_just_starting_stays() -> None:
    async def check(scene: Scene) -> None:
        starting = pod("starting")
        scene.pods.append(starting)
        scene.idle.add(starting.metadata.uid)
        scene.add(pod("hog"), working_set=900)
        scene.stats.memory = 50
        await asyncio.sleep(1.5)
        assert scene.names == ["hog"]

    with_scene(check, thresholds=hard(memory_available="100"))


def test_the_next_round_waits_for_the_end_of_the_pod() -> None:
    async def check(scene: Scene) -> None:
        scene.freed_by_pod, scene.lingers_s = 0, 12.0
        scene.add(pod("a"), pod("b"))
        scene.stats.memory = 50
        await asyncio.sleep(11)
        assert len(scene.names) == 1
        await asyncio.sleep(3)
        assert len(scene.names) == 2

    with_scene(check, thresholds=hard(memory_available="100"))


def test_critical_pods_are_spared() -> None:
    async def check(scene: Scene) -> None:
        scene.add(pod("static", source="file"), pod("system", priority=2_000_000_000), working_set=900)
        scene.add(pod("web"))
        scene.stats.memory = 50
        scene.freed_by_pod = 0
        await asyncio.sleep(35)
        assert scene.names == ["web"]

    with_scene(check, thresholds=hard(memory_available="100"))


def test_soft_thresholds_leave_pods_their_grace() -> None:
    async def check(scene: Scene) -> None:
        scene.add(pod("long"), pod("short", termination_grace_period_seconds=5))
        scene.freed_by_pod = 0
        scene.stats.memory = 50
        await asyncio.sleep(25)
        assert scene.names == []
        assert scene.manager.pressures
        await asyncio.sleep(60)
        assert sorted((name, grace_s) for name, _, grace_s in scene.ended) == [("long", 20), ("short", 5)]

    soft = thresholds({}, {"memory.available": "100"}, {"memory.available": "30s"}, {})
    with_scene(check, thresholds=soft, max_pod_grace_s=20)


@pytest.mark.parametrize(("freed", "ended"), [(200, 0), (10, 1)])
def test_garbage_goes_before_pods(freed: int, ended: int) -> None:
    async def check(scene: Scene) -> None:
        scene.add(pod("web"))
        scene.stats.disk, scene.freed_by_garbage = 50, freed
        await asyncio.sleep(1)
        assert scene.cleared == [Garbage.CONTAINERS, Garbage.IMAGES]
        assert len(scene.ended) == ended
        assert scene.manager.pressures == {Pressure.DISK}

    with_scene(check, thresholds=hard(nodefs_available="100"))


def test_garbage_that_cannot_be_removed_stops_nothing() -> None:
    async def check(scene: Scene) -> None:
        scene.add(pod("web"))
        scene.stats.disk, scene.clear_failure = 50, Internal("images cannot be removed")
        await asyncio.sleep(1)
        assert scene.names == ["web"]

    with_scene(check, thresholds=hard(nodefs_available="100"))


def test_a_pod_that_exceeds_its_own_limit_goes_without_any_pressure() -> None:
    async def check(scene: Scene) -> None:
        volumes = (Volume(name="data", empty_dir=EmptyDirVolumeSource(size_limit="10")),)
        scene.add(pod("web", volumes=volumes), pod("other"))
        scene.stats.used["uid-web"] = pod_stats("web", volumes={"data": used(11)})
        await asyncio.sleep(1)
        [(name, cause, grace_s)] = scene.ended
        assert (name, cause.disruption, grace_s) == ("web", "", 1)
        assert cause.message == 'Usage of EmptyDir volume "data" exceeds the limit "10". '
        assert scene.metrics.evictions.value("emptydirfs.limit") == 1
        assert scene.manager.pressures == frozenset()

    with_scene(check)


def test_nothing_is_measured_without_a_reason() -> None:
    async def check(scene: Scene) -> None:
        scene.add(pod("web"))
        await asyncio.sleep(100)
        assert scene.stats.asked == []

    with_scene(check)


def test_a_failure_to_measure_is_no_reason_to_end_a_pod() -> None:
    async def check(scene: Scene) -> None:
        scene.add(pod("web"))
        scene.stats.memory, scene.stats.failure = 50, Unavailable("the runtime does not answer")
        await asyncio.sleep(25)
        assert scene.names == []
        scene.stats.failure = None
        await asyncio.sleep(ROUND_S)
        assert scene.names == ["web"]

    with_scene(check, thresholds=hard(memory_available="100"))


def test_changes_of_pressure_are_told_once() -> None:
    async def check(scene: Scene) -> None:
        scene.stats.memory = 50
        await asyncio.sleep(50)
        assert scene.changes == 1
        scene.stats.memory = 500
        await asyncio.sleep(100)
        assert (scene.changes, scene.manager.pressures) == (2, frozenset())

    with_scene(check, thresholds=hard(memory_available="100"), transition_s=60.0)


REQUESTING = pod(containers=(container(resources=ResourceRequirements(requests={"memory": "1Mi"})),))
TOLERATING = pod(tolerations=(Toleration(key="node.kubernetes.io/memory-pressure", operator="Exists"),))
MEMORY, DISK = frozenset({Pressure.MEMORY}), frozenset({Pressure.DISK})


@pytest.mark.parametrize(
    ("found", "pressures", "is_refused"),
    [
        (pod(), frozenset(), False),
        (pod(), MEMORY, True),
        (REQUESTING, MEMORY, False),
        (TOLERATING, MEMORY, False),
        (REQUESTING, DISK, True),
        (TOLERATING, MEMORY | DISK, True),
        (pod(source="file"), DISK, False),
        (pod(priority=2_000_001_000), DISK, False),
    ],
)
def test_admission_under_pressure(found: Pod, pressures: frozenset[Pressure], is_refused: bool) -> None:
    refusal = PressureCheck(lambda: pressures)(found, [])
    assert (refusal is not None) is is_refused
    assert refusal is None or refusal.reason == "Evicted"
