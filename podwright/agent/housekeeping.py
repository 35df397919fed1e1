"""What the loop does now and then: it makes workers, directories and cgroups agree with the pods that sources want.

Nothing is taken away before every source has been read once. The steps are those of the kubelet's HandlePodCleanups
(pkg/kubelet/kubelet_pods.go of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

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


class PerPod(Protocol):
    """A room that holds something for each pod."""

    def retain(self, uids: Collection[str]) -> None:
        """Drop what is held for other pods than these."""


class PerPodOnHost(Protocol):
    """A room whose things for a pod take time to remove."""

    async def retain(self, uids: Collection[str]) -> None:
        """Remove what other pods than these have left on this machine. Raises PodwrightError."""


class OrphanMirrors(Protocol):
    """What the API shows of static pods."""

    async def remove(self, mirrors: Iterable[Pod]) -> None:
        """Delete them. Raises PodwrightError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HousekeepingPorts:
    """What is kept in order."""

    registry: PodRegistry
    workers: PodWorkers
    cache: StatusCache
    restarts: Restarts
    probes: PerPod
    statuses: PerPod
    users: PerPod
    resizes: PerPod
    credentials: PerPod
    volumes: PerPodOnHost
    cgroups: PerPodOnHost
    mirrors: OrphanMirrors
    all_sources_read: Callable[[], bool]
    metrics: LifeMetrics
    is_refused: Callable[[str], bool]  # whether the pod of that UID was not admitted
    again: Callable[[], None]  # have another round soon
    end: Callable[[ObservedPod], Awaitable[None]]  # end what runs of a pod; raises PodwrightError


class Housekeeping:
    """See the module's text."""

    def __init__(self, ports: HousekeepingPorts) -> None:
        self._ports = ports
        self._tasks = Tasks()
        self._under_way: set[str] = set()
        self._begun = self._ended = 0  # rounds in which every room was cleaned up
        self._news = asyncio.Event()

    async def close(self) -> None:
        """Clean up no more."""
        await self._tasks.close()

    async def next_round(self) -> None:
        """Wait for the end of a round that begins from now on, with all that it cleans up."""
        wanted = self._begun + 1
        while self._ended < wanted:
            self._news.clear()
            await self._news.wait()

    def run(self) -> bool:
        """One round, which never waits. False when there is more to do soon: a pod that nobody wants still ends."""
        ports = self._ports
        if not ports.all_sources_read():
            return False
        pods = {pod.metadata.uid: pod for pod in ports.registry.pods()}
        known = ports.workers.reconcile(pods)
        self._start_missing(pods)
        self._end_unknown()
        in_use = self._in_use()
        ports.probes.retain([uid for uid, each in known.items() if each.state is not WorkState.TERMINATED])
        ports.statuses.retain(in_use)
        ports.users.retain(in_use)
        ports.resizes.retain(in_use)
        ports.credentials.retain(in_use)
        ports.restarts.prune()
        is_behind = bool(self._under_way)
        self._begun += not is_behind
        self._clean_up()
        return not is_behind and not any(each.orphan for each in known.values())

    def _start_missing(self, pods: dict[str, Pod]) -> None:
        """A pod that was wanted again while the one of its UID ended, or that ended before the agent came.

        A pod that was refused is left alone until it is deleted: then a worker lets its object go.
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
        """Pods that run without a worker: their manifests went while no agent ran, or this agent has refused them."""
        for observed in self._ports.cache.all():
            is_known = self._ports.workers.is_known(observed.uid)
            if not is_known and (observed.running() or observed.ready_sandboxes()):
                log.info("a pod that is not to run here is ended: pod=%s/%s", observed.namespace, observed.name)
                self._ports.metrics.orphaned_pods.add()
                self._ports.workers.update(PodUpdate(kind=UpdateKind.KILL, runtime_pod=observed))

    def _orphaned_mirrors(self) -> list[Pod]:
        """Those whose static pods are gone, and have ended: until then people are to see that they end."""
        registry, workers = self._ports.registry, self._ports.workers
        return [
            mirror
            for mirror in registry.mirrors()
            if registry.static_of(mirror) is None and not workers.is_name_terminating(full_name(mirror))
        ]

    # -- what takes its time

    def _clean_up(self) -> None:
        """Remove what other pods have left, beside everything else. A room that is still at it goes on alone."""
        ports = self._ports
        rooms: Mapping[str, Callable[[], Awaitable[None]]] = {
            "volumes": lambda: ports.volumes.retain(self._in_use()),
            "cgroups": lambda: ports.cgroups.retain(self._with_cgroup()),
            "mirrors": lambda: ports.mirrors.remove(self._orphaned_mirrors()),
            "late sandboxes": self._end_late,
        }
        for name, clean in rooms.items():
            if name not in self._under_way:
                self._under_way.add(name)
                self._tasks.start(self._clean(name, clean), name=f"housekeeping: {name}")

    async def _end_late(self) -> None:
        """End what a runtime has started after its pod was over: a call that was given up may still be carried out."""
        ports = self._ports
        for observed in ports.cache.all():
            is_over = ports.workers.is_known(observed.uid) and ports.workers.should_be_finished(observed.uid)
            if is_over and (observed.running() or observed.ready_sandboxes()):
                log.info("what came too late for its pod is ended: pod=%s/%s", observed.namespace, observed.name)
                await ports.end(observed)

    async def _clean(self, name: str, clean: Callable[[], Awaitable[None]]) -> None:
        """What fails is logged, and done in the next round, which comes soon."""
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
        """The pods that anybody knows now. Nothing of them is removed."""
        return {pod.metadata.uid for pod in self._ports.registry.pods()} | self._with_cgroup()

    def _with_cgroup(self) -> set[str]:
        """The pods that work, or that the runtime holds something of."""
        return {*self._ports.workers.uids(), *(observed.uid for observed in self._ports.cache.all())}
