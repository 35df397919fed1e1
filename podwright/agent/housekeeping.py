"""What the loop does now and then: it makes workers, directories and cgroups agree with the pods that sources want.

Nothing is taken away before every source has been read once. The steps are those of the kubelet's HandlePodCleanups
(pkg/kubelet/kubelet_pods.go of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from podwright.agent.pleg.cache import StatusCache
from podwright.agent.pods.phases import has_ended
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.workers.pool import PodWorkers
from podwright.agent.workers.record import WorkState
from podwright.agent.workers.restarts import Restarts
from podwright.agent.workers.updates import PodUpdate, UpdateKind
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod

log = logging.getLogger(__name__)


class Kept(Protocol):
    """A room that holds something for each pod."""

    def retain(self, uids: Collection[str]) -> None:
        """Drop what is held for other pods than these."""


class Cleaned(Protocol):
    """A room whose things for a pod take time to remove."""

    async def retain(self, uids: Collection[str]) -> None:
        """Remove what other pods than these have left on this machine. Raises PodwrightError."""


class Mirrors(Protocol):
    """What the API shows of static pods."""

    async def remove_orphans(self, registry: PodRegistry) -> None:
        """Delete the mirrors whose static pods are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HousekeepingPorts:
    """What is kept in order."""

    registry: PodRegistry
    workers: PodWorkers
    cache: StatusCache
    restarts: Restarts
    probes: Kept
    statuses: Kept
    users: Kept
    volumes: Cleaned
    cgroups: Cleaned
    mirrors: Mirrors
    all_sources_read: Callable[[], bool]
    is_refused: Callable[[str], bool]  # whether the pod of that UID was not admitted


class Housekeeping:
    """See the module's text."""

    def __init__(self, ports: HousekeepingPorts) -> None:
        self._ports = ports
        self._begun = self._ended = 0  # rounds
        self._news = asyncio.Event()

    async def next_round(self) -> None:
        """Wait for the end of a round that begins from now on."""
        wanted = self._begun + 1
        while self._ended < wanted:
            self._news.clear()
            await self._news.wait()

    async def run(self) -> bool:
        """One round. False when there is more to do soon: a pod that nobody wants is still ending."""
        self._begun += 1
        is_clean = await self._run()
        self._ended = self._begun
        self._news.set()
        return is_clean

    async def _run(self) -> bool:
        ports = self._ports
        if not ports.all_sources_read():
            return False
        pods = {pod.metadata.uid: pod for pod in ports.registry.pods()}
        known = ports.workers.reconcile(pods)
        self._start_missing(pods)
        held = {observed.uid for observed in ports.cache.all()}
        self._end_unknown(pods, known)
        in_use = {*pods, *known, *held}
        ports.probes.retain([uid for uid, each in known.items() if each.state is not WorkState.TERMINATED])
        ports.statuses.retain(in_use)
        ports.users.retain(in_use)
        ports.restarts.prune()
        is_clean = await self._clean(in_use, {*known, *held})
        return is_clean and not any(each.orphan for each in known.values())

    def _start_missing(self, pods: dict[str, Pod]) -> None:
        """A pod that was wanted again while the one of its UID ended, or that ended before the agent came."""
        ports = self._ports
        for uid, pod in pods.items():
            if ports.workers.is_known(uid) or ports.is_refused(uid):
                continue
            deleting = pod.metadata.deletion_timestamp is not None
            kind = UpdateKind.KILL if deleting or has_ended(pod) else UpdateKind.CREATE
            ports.workers.update(PodUpdate(kind=kind, pod=pod, mirror=ports.registry.mirror_of(pod)))

    def _end_unknown(self, pods: Collection[str], known: Collection[str]) -> None:
        """Pods that only the runtime has: their manifests went while no agent ran."""
        for observed in self._ports.cache.all():
            is_wanted = observed.uid in pods or observed.uid in known
            if not is_wanted and (observed.running() or observed.ready_sandboxes()):
                log.info("a pod that no source wants is ended: pod=%s/%s", observed.namespace, observed.name)
                self._ports.workers.update(PodUpdate(kind=UpdateKind.KILL, runtime_pod=observed))

    async def _clean(self, in_use: Collection[str], with_cgroup: Collection[str]) -> bool:
        """Whether nothing is left of other pods. What fails is logged, and done in the next round."""
        ports, is_clean = self._ports, True
        steps = (
            ports.volumes.retain(in_use),
            ports.cgroups.retain(with_cgroup),
            ports.mirrors.remove_orphans(ports.registry),
        )
        for outcome in await asyncio.gather(*steps, return_exceptions=True):
            if isinstance(outcome, PodwrightError | OSError):
                log.warning("housekeeping: %s", outcome)
                is_clean = False
            elif isinstance(outcome, BaseException):
                raise outcome
        return is_clean
