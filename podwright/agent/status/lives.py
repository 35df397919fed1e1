"""Counts starts of pods and ends of containers, from the changes of statuses.

For a kubelet a start ends when the API's watch shows it (pkg/kubelet/util/pod_startup_latency_tracker.go of Kubernetes
1.36). Here it ends when the writer gets the status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from podwright.agent.clock import Clock, utc_now
from podwright.agent.metrics.lives import LifeMetrics
from podwright.agent.pods.identity import CONFIG_SEEN, is_static
from podwright.agent.pods.phases import PENDING, RUNNING
from podwright.agent.status.manager import VersionedStatus
from podwright.k8s.objects import ContainerStatus, Pod, PodStatus


class _Life(msgspec.Struct, kw_only=True):
    """One pod.

    `pulled_s` is the time of image pulls. `is_starting`: the pod was added while this agent ran, and has not run.
    """

    status: PodStatus
    is_starting: bool
    pulled_s: float = 0.0


class PodLives:
    """The counts. `changed` subscribes to a StatusManager."""

    def __init__(
        self,
        metrics: LifeMetrics,
        pod_of: Callable[[str], Pod | None],
        is_known: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        """`is_known` returns whether the pod with a UID has a status. Other pods are forgotten."""
        self._metrics = metrics
        self._pod_of = pod_of
        self._is_known = is_known
        self._clock = clock
        self._lives: dict[str, _Life] = {}
        self._has_network = False  # whether the start of a pod with its own network was counted

    def pulled(self, uid: str, seconds: float) -> None:
        """Count the time of an image pull for a pod."""
        if life := self._lives.get(uid):
            life.pulled_s += seconds

    def changed(self, entry: VersionedStatus) -> None:
        pod = self._pod_of(entry.uid)
        if pod is None:
            return
        life, new = self._life(pod), entry.status
        before, life.status = life.status, new
        self._count_ends("init_container", before.init_container_statuses, new.init_container_statuses)
        self._count_ends("container", before.container_statuses, new.container_statuses)
        self._count_ends("ephemeral_container", before.ephemeral_container_statuses, new.ephemeral_container_statuses)
        now = utc_now(self._clock)
        if before.phase in ("", PENDING) and new.phase == RUNNING:
            self._count_start(pod, now)
        if life.is_starting and _all_run(new):
            life.is_starting = False
            self._count_whole_start(pod, life, now)

    def _life(self, pod: Pod) -> _Life:
        uid = pod.metadata.uid
        life = self._lives.get(uid)
        if life is None:
            self._lives = {each: life for each, life in self._lives.items() if self._is_known(each)}
            is_new = pod.status.start_time is None and not is_static(pod) and not _had_to_wait(pod)
            life = self._lives[uid] = _Life(status=pod.status, is_starting=is_new)
        return life

    def _count_ends(self, kind: str, before: Iterable[ContainerStatus], now: Iterable[ContainerStatus]) -> None:
        ended = {status.name for status in before if status.state.terminated is not None}
        for status in now:
            if (end := status.state.terminated) is not None and status.name not in ended:
                self._metrics.ended_containers.add(kind, str(end.exit_code), end.reason)

    def _count_start(self, pod: Pod, now: datetime) -> None:
        seen = pod.metadata.annotations.get(CONFIG_SEEN, "")
        if seen:
            self._metrics.starts.observe((now - datetime.fromisoformat(seen)).total_seconds())

    def _count_whole_start(self, pod: Pod, life: _Life, now: datetime) -> None:
        created = pod.metadata.creation_timestamp
        if created is None:
            return
        whole_s = (now - created).total_seconds()
        self._metrics.whole_starts.observe(whole_s)
        if _is_stateful(pod):
            return
        own_s = whole_s - life.pulled_s - _ran_s(life.status.init_container_statuses)
        self._metrics.own_starts.observe(own_s)
        if not pod.spec.host_network and not self._has_network:
            self._has_network = True
            self._metrics.first_network_start.set(own_s)


def _all_run(status: PodStatus) -> bool:
    statuses = status.container_statuses
    return bool(statuses) and all(each.state.running is not None for each in statuses)


def _had_to_wait(pod: Pod) -> bool:
    """Whether the pod had to wait for a node."""
    return any(each.type == "PodScheduled" and each.status == "False" for each in pod.status.conditions)


def _ran_s(statuses: Iterable[ContainerStatus]) -> float:
    """The seconds that init containers have run."""
    ends = (status.state.terminated for status in statuses)
    return sum(
        (end.finished_at - end.started_at).total_seconds()
        for end in ends
        if end is not None and end.finished_at is not None and end.started_at is not None
    )


def _is_stateful(pod: Pod) -> bool:
    """Whether a volume has state: it is neither made of objects of the API nor an emptyDir."""
    return any(
        not (volume.secret or volume.config_map or volume.downward_api or volume.empty_dir or volume.projected)
        for volume in pod.spec.volumes
    )
