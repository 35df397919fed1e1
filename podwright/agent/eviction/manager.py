"""The eviction manager: ends pods that exceed a limit, and one pod at a time while the node is short of something.

There is a round every ten seconds, and at once when the kernel reports that memory runs short. Garbage is removed
before a pod is evicted. The decisions of a round are pure (`pressure`, `ranking`, `local_storage`). The rules are
those of the kubelet's eviction manager (pkg/kubelet/eviction of Kubernetes 1.36). The kubelet measures all pods in
every round, this manager only if a pod has a limit of its own, or one must be evicted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.config.thresholds import Threshold
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.eviction.layout import DiskLayout, Garbage
from podwright.agent.eviction.local_storage import has_limits, overuse
from podwright.agent.eviction.messages import EVICTED, Notice, low_on
from podwright.agent.eviction.pressure import Memo, judge, met, with_container_fs
from podwright.agent.eviction.ranking import ranked
from podwright.agent.eviction.signals import MEMORY, RESOURCES, Readings, names, read_signals
from podwright.agent.metrics.eviction import EvictionMetrics
from podwright.agent.node.conditions import Pressure
from podwright.agent.pods.identity import is_critical
from podwright.agent.stats.protocol import StatsProvider
from podwright.agent.stats.records import NodeStats, PodStats
from podwright.agent.workers.ending import Cause, Ender
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod

log = logging.getLogger(__name__)

PERIOD_S = 10.0
GONE_POLLS, GONE_POLL_S = 30, 1.0  # how long the next round waits for the end of an evicted pod
IMMEDIATE_GRACE_S = 1


class MemoryAlarm(Protocol):
    """Reports that memory runs short, between two rounds: `notifier`."""

    def arm(self, thresholds: Sequence[Threshold], node: NodeStats, rang: Callable[[], None]) -> None:
        """Set the alarm according to the node's present usage.

        `rang` is called when usage crosses a threshold, up or down.
        """

    def close(self) -> None:
        """Turn the alarm off."""


class EvictionPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the manager needs of other rooms."""

    stats: StatsProvider
    active: Callable[[], list[Pod]]  # the pods that run or will run
    ender: Ender
    is_idle: Callable[[str], bool]  # whether no container of the pod with this UID runs
    is_finished: Callable[[str], bool]  # whether nothing is left to do for the pod with this UID
    clear: Callable[[Garbage], Awaitable[None]]  # removes the garbage; raises PodwrightError and OSError
    pressures_changed: Callable[[], None]
    events: EventRecorder
    metrics: EvictionMetrics
    clock: Clock


class EvictionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See KubeletConfiguration: eviction*, localStorageCapacityIsolation."""

    thresholds: tuple[Threshold, ...]
    transition_s: float = 300.0
    max_pod_grace_s: int = 0
    limits_storage: bool = True


class Measurements(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of the node in one round."""

    node: NodeStats
    readings: Readings
    layout: DiskLayout


class EvictionManager:
    """Runs the rounds."""

    def __init__(self, ports: EvictionPorts, settings: EvictionSettings, alarm: MemoryAlarm | None = None) -> None:
        self._ports = ports
        self._settings = settings
        self._alarm = alarm
        self._memo = Memo()
        self._wake = asyncio.Event()
        self._problem = ""
        self.pressures: frozenset[Pressure] = frozenset()

    async def run(self) -> None:
        """Make rounds forever. Returns at once if there are neither thresholds nor limits of pods."""
        if not self._settings.thresholds and not self._settings.limits_storage:
            return
        try:
            await self._run()
        finally:
            if self._alarm is not None:
                self._alarm.close()

    async def _run(self) -> None:
        while True:
            evicted = await self._round_logged()
            if evicted:
                await self._until_gone(evicted)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD_S):
                    await self._wake.wait()
            self._wake.clear()

    async def _round_logged(self) -> list[Pod]:
        try:
            evicted = await self.round()
        except (PodwrightError, OSError) as failure:
            if str(failure) != self._problem:
                log.warning("the node cannot be measured for eviction: error=%s", failure)
            self._problem = str(failure)
            return []
        self._problem = ""
        return evicted

    async def _until_gone(self, pods: Sequence[Pod]) -> None:
        """Wait until the pods have released their resources, so that no further pod is evicted too early."""
        ports = self._ports
        for _ in range(GONE_POLLS):
            await asyncio.sleep(GONE_POLL_S)
            if all(ports.is_finished(pod.metadata.uid) for pod in pods):
                return
        log.info("evicted pods are still being removed: pods=%s", _full_names(pods))

    async def round(self) -> list[Pod]:
        """Measure and act. Returns the evicted pods. Raises PodwrightError and OSError if measuring fails."""
        limited = [pod for pod in self._ports.active() if has_limits(pod)] if self._settings.limits_storage else []
        if not limited and not self._settings.thresholds:
            return []
        measured = await self._measure()
        thresholds = with_container_fs(self._settings.thresholds, on_images=measured.layout.layers_on_images)
        if self._alarm is not None:
            self._alarm.arm(thresholds, measured.node, self._wake.set)
        judgement = judge(
            thresholds, measured.readings, self._memo, self._ports.clock.monotonic(), self._settings.transition_s
        )
        self._memo = judgement.memo
        self._set_pressures(judgement.pressures)
        if limited and (gone := await self._enforce_limits(limited, measured)):
            return gone
        if not judgement.urgent:
            return []
        return await self._relieve(measured, judgement.urgent, thresholds)

    async def _measure(self) -> Measurements:
        node = await self._ports.stats.node(fresh=True)
        filesystems = await self._ports.stats.filesystems()
        return Measurements(node=node, readings=read_signals(node, filesystems), layout=DiskLayout.of(filesystems))

    def _set_pressures(self, pressures: frozenset[Pressure]) -> None:
        if pressures != self.pressures:
            log.info(
                "eviction: pressures=%s", ",".join(each.value for each in Pressure if each in pressures) or "none"
            )
            self.pressures = pressures
            self._ports.pressures_changed()

    # -- limits of pods

    async def _enforce_limits(self, limited: Sequence[Pod], measured: Measurements) -> list[Pod]:
        stats = {each.pod_ref.uid: each for each in await self._ports.stats.pods(fresh=True)}
        gone = []
        for pod in limited:
            found = stats.get(pod.metadata.uid)
            over = overuse(pod, found, images_apart=measured.layout.images_apart) if found is not None else None
            if over is not None and await self._evict(
                pod, Notice(message=over.message, annotations={}), IMMEDIATE_GRACE_S
            ):
                self._ports.metrics.evictions.add(over.signal)
                gone.append(pod)
        return gone

    # -- the node

    async def _relieve(
        self, measured: Measurements, urgent: Sequence[Threshold], thresholds: Sequence[Threshold]
    ) -> list[Pod]:
        """Remove garbage. If that is not enough, evict one pod."""
        first = urgent[0]
        resource = RESOURCES[first.signal]
        log.info("eviction thresholds are met: signals=%s", names(each.signal for each in urgent))
        self._ports.events.node("Warning", "EvictionThresholdMet", f"Attempting to reclaim {resource}")
        if await self._clear(measured.layout.garbage(first.signal), thresholds):
            log.info("no pod is evicted, removing garbage was enough: resource=%s", resource)
            return []
        active = self._ports.active()
        if not active:
            log.warning("there is no pod to evict: resource=%s", resource)
            return []
        idle = {pod.metadata.uid for pod in active if self._ports.is_idle(pod.metadata.uid)}
        stats = await self._stats_for(resource)
        self._note_age(urgent, measured.readings)
        for pod in ranked(active, stats, first.signal, measured.layout, idle=idle):
            notice = low_on(resource, pod, stats.get(pod.metadata.uid), urgent, measured.readings)
            if await self._evict(pod, notice, self._grace_s(pod, first), is_pods_fault=False):
                self._ports.metrics.evictions.add(first.signal.value)
                return [pod]
        log.warning("no pod may be evicted: resource=%s", resource)
        return []

    async def _clear(self, garbage: Sequence[Garbage], thresholds: Sequence[Threshold]) -> bool:
        """Remove garbage. Returns whether no threshold is met any more."""
        for kind in garbage:
            try:
                await self._ports.clear(kind)
            except (PodwrightError, OSError) as failure:
                log.warning("garbage cannot be removed before an eviction: kind=%s error=%s", kind.value, failure)
        if not garbage:
            return False
        return not met(thresholds, (await self._measure()).readings, with_reclaim=True)

    async def _stats_for(self, resource: str) -> dict[str, PodStats]:
        """The pods' statistics by UID. Only CPU and memory if they are enough, because that costs less."""
        if resource == MEMORY:
            return {each.pod_ref.uid: each for each in await self._ports.stats.pods_cpu_and_memory(fresh=True)}
        return {each.pod_ref.uid: each for each in await self._ports.stats.pods(fresh=True)}

    def _note_age(self, urgent: Sequence[Threshold], readings: Readings) -> None:
        now_ns = self._ports.clock.now_ns()
        for signal in dict.fromkeys(each.signal for each in urgent):
            age_s = max(now_ns / 1e9 - readings[signal].time.timestamp(), 0.0)
            self._ports.metrics.stats_ages.observe(age_s, signal.value)

    def _grace_s(self, pod: Pod, threshold: Threshold) -> int:
        if threshold.is_hard:
            return IMMEDIATE_GRACE_S
        own_s = pod.spec.termination_grace_period_seconds
        longest_s = self._settings.max_pod_grace_s
        return longest_s if own_s is None else min(own_s, longest_s)

    async def _evict(self, pod: Pod, notice: Notice, grace_s: int, *, is_pods_fault: bool = True) -> bool:
        """Evict a pod. Returns False for a critical pod, which stays."""
        if is_critical(pod):
            log.warning("a critical pod is not evicted: pod=%s/%s", pod.metadata.namespace, pod.metadata.name)
            return False
        self._ports.events.pod(pod, "Warning", EVICTED, notice.message, annotations=notice.annotations)
        cause = Cause(
            reason=EVICTED,
            message=notice.message,
            disruption="" if is_pods_fault else notice.message,
            evicts=True,
        )
        await self._ports.ender.end(pod, cause, grace_s)
        return True


def _full_names(pods: Sequence[Pod]) -> str:
    return ",".join(f"{pod.metadata.namespace}/{pod.metadata.name}" for pod in pods)
