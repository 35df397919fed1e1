"""Housekeeping: brings workers, directories and cgroups in line with the wanted pods. The loop calls it.

Nothing is removed before every source has been read once. The steps are those of the kubelet's HandlePodCleanups
(pkg/kubelet/kubelet_pods.go of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from podwright.agent.metrics.lives import LifeMetrics
from podwright.agent.pleg.cache import StatusCache
from podwright.agent.pods.identity import full_name, is_static
from podwright.agent.pods.phases import has_ended
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.workers.pool import PodWorkers
from podwright.agent.workers.record import WorkState
from podwright.agent.workers.restarts import Restarts
from podwright.agent.workers.updates import PodUpdate, UpdateKind
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod
from podwright.tasks import Tasks

log = logging.getLogger(__name__)


class PerPodState(Protocol):
    """State that is kept for each pod."""

    def retain(self, uids: Collection[str]) -> None:
        """Drop the state of all pods except these."""


class PerPodHostState(Protocol):
    """State on this machine that is kept for each pod, and takes time to remove."""

    async def retain(self, uids: Collection[str]) -> None:
        """Remove what all pods except these left behind on this machine. Raises PodwrightError."""


class OrphanMirrors(Protocol):
    """The mirrors of static pods."""

    async def remove(self, mirrors: Iterable[Pod]) -> None:
        """Delete them. Raises PodwrightError."""


class PerPodParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that keep something for each pod, by the end at which they drop it."""

    of_active: Sequence[PerPodState]  # of pods whose containers may run
    of_known: Sequence[PerPodState]  # of pods that a source, a worker or the runtime has
    volumes: PerPodHostState
    cgroups: PerPodHostState
    mirrors: OrphanMirrors


class HousekeepingPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What housekeeping needs of other rooms."""

    registry: PodRegistry
    workers: PodWorkers
    cache: StatusCache
    restarts: Restarts
    parts: PerPodParts
    all_sources_read: Callable[[], bool]
    metrics: LifeMetrics
    is_refused: Callable[[str], bool]  # whether the pod with this UID was not admitted
    again: Callable[[], None]  # requests another round soon
    end: Callable[[ObservedPod], Awaitable[None]]  # ends everything of a pod that runs; raises PodwrightError


class Housekeeping:
    """Runs the rounds."""

    def __init__(self, ports: HousekeepingPorts) -> None:
        self._ports = ports
        self._tasks = Tasks()
        self._under_way: set[str] = set()
        self._begun = self._ended = 0  # rounds in which every room was cleaned up
        self._news = asyncio.Event()

    async def close(self) -> None:
        """Stop cleaning up."""
        await self._tasks.close()

    async def next_round(self) -> None:
        """Wait for the end of a round that begins from now on, including its clean-up."""
        wanted = self._begun + 1
        while self._ended < wanted:
            self._news.clear()
            await self._news.wait()

    def run(self) -> bool:
        """Make one round, without waiting.

        Returns False if another is needed soon, because an unwanted pod is still ending.
        """
        ports = self._ports
        if not ports.all_sources_read():
            return False
        pods = {pod.metadata.uid: pod for pod in ports.registry.pods()}
        known = ports.workers.reconcile(pods)
        self._start_missing(pods)
        self._end_unknown()
        active = [uid for uid, each in known.items() if each.state is not WorkState.TERMINATED]
        for part in ports.parts.of_active:
            part.retain(active)
        in_use = self._in_use()
        for part in ports.parts.of_known:
            part.retain(in_use)
        ports.restarts.prune()
        is_behind = bool(self._under_way)
        self._begun += not is_behind
        self._clean_up()
        return not is_behind and not any(each.orphan for each in known.values())

    def _start_missing(self, pods: dict[str, Pod]) -> None:
        """Start workers for wanted pods without one.

        Such a pod was wanted again while the pod with its UID ended, or has ended before this agent started. A refused
        pod is left alone until it is deleted. Then its worker deletes the API's object.
        """
        ports = self._ports
        for uid, pod in pods.items():
            deleting = pod.metadata.deletion_timestamp is not None
            if ports.workers.is_known(uid) or (ports.is_refused(uid) and not deleting):
                continue
            kind = UpdateKind.KILL if deleting or has_ended(pod) else UpdateKind.CREATE
            if kind is UpdateKind.CREATE:
                ports.metrics.restarted_pods.add("true" if is_static(pod) else "")
            ports.workers.update(PodUpdate(kind=kind, pod=pod, mirror=ports.registry.mirror_of(pod)))

    def _end_unknown(self) -> None:
        """End pods that run without a worker: no source wants them any more, or this agent has refused them."""
        for observed in self._ports.cache.all():
            is_known = self._ports.workers.is_known(observed.uid)
            if not is_known and (observed.running() or observed.ready_sandboxes()):
                log.info("ending a pod that is not to run here: pod=%s/%s", observed.namespace, observed.name)
                self._ports.metrics.orphaned_pods.add()
                self._ports.workers.update(PodUpdate(kind=UpdateKind.KILL, runtime_pod=observed))

    def _orphaned_mirrors(self) -> list[Pod]:
        """The mirrors of static pods that are gone and have ended.

        Until its pod has ended, a mirror shows how it ends.
        """
        registry, workers = self._ports.registry, self._ports.workers
        return [
            mirror
            for mirror in registry.mirrors()
            if registry.static_of(mirror) is None and not workers.is_name_terminating(full_name(mirror))
        ]

    # -- steps that take time

    def _clean_up(self) -> None:
        """Remove what other pods left behind, in the background. A step that still runs is not started again."""
        parts = self._ports.parts
        steps: Mapping[str, Callable[[], Awaitable[None]]] = {
            "volumes": lambda: parts.volumes.retain(self._in_use()),
            "cgroups": lambda: parts.cgroups.retain(self._with_cgroup()),
            "mirrors": lambda: parts.mirrors.remove(self._orphaned_mirrors()),
            "late sandboxes": self._end_late,
        }
        for name, clean in steps.items():
            if name not in self._under_way:
                self._under_way.add(name)
                self._tasks.start(self._clean(name, clean), name=f"housekeeping: {name}")

    async def _end_late(self) -> None:
        """End what a runtime started after its pod had ended: it may still carry out a call that we gave up."""
        ports = self._ports
        for observed in ports.cache.all():
            is_over = ports.workers.is_known(observed.uid) and ports.workers.should_be_finished(observed.uid)
            if is_over and (observed.running() or observed.ready_sandboxes()):
                log.info("ending what started after its pod had ended: pod=%s/%s", observed.namespace, observed.name)
                await ports.end(observed)

    async def _clean(self, name: str, clean: Callable[[], Awaitable[None]]) -> None:
        """Run one step. A failure is logged, and the next round, which comes soon, repeats the step."""
        try:
            await clean()
        except (PodwrightError, OSError) as failure:
            log.warning("a step of housekeeping failed: step=%s error=%s", name, failure)
            self._ports.again()
        finally:
            self._under_way.discard(name)
            if not self._under_way:
                self._ended = self._begun
                self._news.set()

    def _in_use(self) -> set[str]:
        """The pods that a source, a worker or the runtime has now, of which nothing is removed."""
        return {pod.metadata.uid for pod in self._ports.registry.pods()} | self._with_cgroup()

    def _with_cgroup(self) -> set[str]:
        """The pods that a worker or the runtime has now."""
        return {*self._ports.workers.uids(), *(observed.uid for observed in self._ports.cache.all())}
