"""Keeps the status of every pod: the agent's own view, and the published version.

Workers build and set statuses, the loop sets the results of probes, admission refuses pods. The API writer and others
subscribe to changes by `on_change`. The manager calls no API.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import structs
from msgspec.structs import replace

from podwright.agent.clock import Clock, utc_now
from podwright.agent.decisions.actions import FindingOf
from podwright.agent.pods.allocation import PodAllocation
from podwright.agent.pods.containers import all_containers
from podwright.agent.pods.identity import CONFIG_HASH, CONFIG_MIRROR, is_sidecar
from podwright.agent.pods.phases import FAILED
from podwright.agent.pods.qos import qos_class
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.status.builder import build_status
from podwright.agent.status.conditions import OWN, needs_readiness, with_readiness, with_ready_to_start
from podwright.agent.status.endings import ended_status
from podwright.agent.status.failures import StartFailures
from podwright.agent.status.inputs import StatusGates, StatusInputs
from podwright.agent.status.instances import container_id as api_container_id
from podwright.agent.status.publishing import merge_status, with_others
from podwright.agent.status.termination_messages import TerminationMessages
from podwright.agent.status.transitions import is_same, next_status
from podwright.k8s.objects import ContainerStatus, Pod, PodCondition, PodStatus, ResourceStatus

log = logging.getLogger(__name__)

Change = Callable[[ContainerStatus], ContainerStatus]


class VersionedStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A pod's newest status.

    `shown` is the published version: it does not show a terminal phase while containers may run. `version` grows with
    each change, whose time on the monotonic clock is `changed_at`. `is_finished`: nothing of the pod is left on this
    node, so the API's object may be deleted.
    """

    uid: str
    namespace: str
    name: str
    status: PodStatus
    shown: PodStatus
    version: int
    changed_at: float = 0.0
    is_finished: bool = False


Watcher = Callable[[VersionedStatus], None]


class StatusPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the manager needs of other rooms."""

    clock: Clock
    messages: TerminationMessages
    pod_of: Callable[[str], Pod | None]  # by UID
    mirror_of: Callable[[Pod], Pod | None]  # the mirror of a static pod
    may_run: Callable[[str], bool]  # whether containers of the pod with this UID may run
    finding_of: FindingOf  # the results of probes
    node_ips: Callable[[], tuple[str, ...]]  # at most one of each family, the primary one first
    runtime_name: Callable[[], str]  # `containerd`, `cri-o`, `podwright`
    supports_recursive: Callable[[Pod], bool]  # whether the pod's runtime handler mounts recursively read-only
    gates: StatusGates = msgspec.field(default_factory=StatusGates)
    # The health of the allotted resources of each container of a pod, by container.
    resource_health: Callable[[Pod], Mapping[str, Sequence[ResourceStatus]]] = lambda _: {}
    resizes_of: Callable[[str], tuple[PodCondition, ...]] = lambda _: ()  # the conditions about the resize of a pod
    actuated: Callable[[str], PodAllocation | None] = lambda _: None  # the resources that were last set for a pod


class StatusManager:
    """Implements `workers.ports.StatusKeeper` and `loop.LoopStatuses`."""

    def __init__(self, ports: StatusPorts) -> None:
        self._ports = ports
        self._entries: dict[str, VersionedStatus] = {}
        self._refused: set[str] = set()
        self._failures = StartFailures()
        self._watchers: list[Watcher] = []

    # -- for everyone

    def get(self, uid: str) -> PodStatus | None:
        """The agent's own view, with a terminal phase as soon as it is decided. None for a pod without a status."""
        entry = self._entries.get(uid)
        return entry.status if entry is not None else None

    def newest(self, uid: str) -> VersionedStatus | None:
        """The newest status with its published version."""
        return self._entries.get(uid)

    def all(self) -> list[VersionedStatus]:
        """The newest status of every pod."""
        return list(self._entries.values())

    def on_change(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` after each change, until the returned function is called."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    # -- for workers

    async def build(self, pod: Pod, observed: ObservedPod, *, is_terminal: bool = False) -> PodStatus:
        """The status that follows from what the runtime holds. `is_terminal`: no container runs or will run."""
        ports, uid = self._ports, pod.metadata.uid
        messages = await ports.messages.of(observed)
        inputs = StatusInputs(
            previous=self._before(pod),
            now=self._now(),
            runtime_name=ports.runtime_name(),
            node_ips=ports.node_ips(),
            failures=self._failures.of(uid, [container.name for container in all_containers(pod)]),
            finding_of=ports.finding_of,
            messages=messages,
            is_terminal=is_terminal,
            recursive_read_only=ports.supports_recursive(pod),
            gates=ports.gates,
            resource_health=ports.resource_health(pod) if ports.gates.resource_health else {},
            resizes=ports.resizes_of(uid),
            actuated=ports.actuated(uid),
        )
        return build_status(pod, observed, inputs)

    def set(self, pod: Pod, status: PodStatus) -> PodStatus:
        """Store a new status, corrected where it may not follow the last one. Returns the stored status.

        For a pod that is being deleted, watchers are called even without a change: the writer may now be able to
        delete it.
        """
        return self._take(pod, status, force=pod.metadata.deletion_timestamp is not None)

    def set_ready_to_start(self, pod: Pod) -> None:
        """Note that the pod's sandbox is ready.

        Its images may take minutes to pull, and others see that it waits for them.
        """
        if self._ports.gates.ready_to_start:
            self._take(pod, with_ready_to_start(pod, self._before(pod)))

    def note_failure(self, pod: Pod, failure: ContainerFailure) -> None:
        """Note that a container could not be started. Its status says so until it is started."""
        self._failures.note(pod.metadata.uid, failure)

    def note_success(self, pod: Pod, container: str) -> None:
        """Note that a container was started."""
        self._failures.clear(pod.metadata.uid, container)

    def terminate(self, pod: Pod) -> None:
        """Note that nothing of the pod is left, so that no status says that something runs."""
        self._take(pod, ended_status(pod, self._before(pod)), force=True, is_finished=True)

    # -- for the loop

    def set_ready(self, uid: str, container_id: str, *, ready: bool) -> None:
        """Record the result of a readiness probe."""
        self._change(uid, container_id, lambda status: structs.replace(status, ready=ready))

    def set_started(self, uid: str, container_id: str, *, started: bool) -> None:
        """Record the result of a startup probe."""
        self._change(uid, container_id, lambda status: structs.replace(status, started=started))

    def refuse(self, pod: Pod, reason: str, message: str) -> None:
        """Record that the pod has failed, because it cannot run on this node."""
        self._refused.add(pod.metadata.uid)
        status = PodStatus(
            phase=FAILED,
            reason=reason,
            message=f"Pod was rejected: {message}",
            qos_class=qos_class(pod),
            conditions=tuple(each for each in pod.status.conditions if each.type not in OWN),
        )
        self._take(pod, status)

    def is_refused(self, uid: str) -> bool:
        """Whether the pod was refused."""
        return uid in self._refused

    def needs_reconcile(self, pod: Pod) -> bool:
        """Whether what others wrote into the pod's status changes its readiness."""
        return needs_readiness(pod)

    def retain(self, uids: Collection[str]) -> None:
        """Forget all pods except these, and publish terminal phases that need not be held back any more.

        Housekeeping calls it. A pod that was refused before the first round is held back until then: only that round
        knows that nothing of it runs.
        """
        self._entries = {uid: entry for uid, entry in self._entries.items() if uid in uids}
        self._refused &= set(uids)
        self._failures.retain(uids)
        self._ports.messages.retain(uids)
        for entry in self.all():
            if entry.shown.phase != entry.status.phase and not self._ports.may_run(entry.uid):
                shown = merge_status(entry.shown, entry.status, self._now(), may_run=False)
                self._store(replace(entry, shown=shown, version=entry.version + 1))

    # -- inside

    def _take(self, pod: Pod, new: PodStatus, *, force: bool = False, is_finished: bool = False) -> PodStatus:
        uid, now = pod.metadata.uid, self._now()
        known = self._entries.get(uid)
        old = known.status if known is not None else self._before(pod)
        status = next_status(pod, old, new, now)
        before = with_others(known.shown if known is not None else old, pod)
        shown = merge_status(before, status, now, may_run=self._ports.may_run(uid))
        if known is not None and not force and is_same(known.status, status) and is_same(known.shown, shown):
            return known.status
        self._store(
            VersionedStatus(
                uid=uid,
                namespace=pod.metadata.namespace,
                name=pod.metadata.name,
                status=status,
                shown=shown,
                version=known.version + 1 if known is not None else 1,
                changed_at=self._ports.clock.monotonic(),
                is_finished=is_finished or (known is not None and known.is_finished),
            )
        )
        return status

    def _store(self, entry: VersionedStatus) -> None:
        self._entries[entry.uid] = entry
        for watcher in tuple(self._watchers):
            try:
                watcher(entry)
            except Exception:  # a bug in a watcher must not affect the pod
                log.exception("a watcher of statuses failed: pod=%s/%s", entry.namespace, entry.name)

    def _before(self, pod: Pod) -> PodStatus:
        """The newest status: the agent's, or the API's when this agent has none yet.

        For a static pod it is that of its mirror, unless the mirror is of another manifest with the same name. The
        ends of init containers are left out: a kubelet does not read mirrors, so like it the agent infers their
        success when the runtime does not hold them any more.
        """
        entry = self._entries.get(pod.metadata.uid)
        if entry is not None:
            return entry.status
        mirror = self._ports.mirror_of(pod)
        config_hash = pod.metadata.annotations.get(CONFIG_HASH)
        if mirror is not None and mirror.metadata.annotations.get(CONFIG_MIRROR) == config_hash:
            sidecars = {container.name for container in mirror.spec.init_containers if is_sidecar(container)}
            kept = tuple(each for each in mirror.status.init_container_statuses if each.name in sidecars)
            return structs.replace(mirror.status, init_container_statuses=kept)
        return pod.status

    def _change(self, uid: str, container_id: str, change: Change) -> None:
        """Change the status of the container with this instance.

        An unknown instance is ignored: the next look shows it.
        """
        pod, status = self._ports.pod_of(uid), self.get(uid)
        if pod is None or status is None:
            return
        identifier = api_container_id(self._ports.runtime_name(), container_id)

        def changed(statuses: tuple[ContainerStatus, ...]) -> tuple[ContainerStatus, ...]:
            return tuple(change(each) if each.container_id == identifier else each for each in statuses)

        new = structs.replace(
            status,
            container_statuses=changed(status.container_statuses),
            init_container_statuses=changed(status.init_container_statuses),
        )
        if new != status:
            self._take(pod, with_readiness(pod, new))

    def _now(self) -> datetime:
        return utc_now(self._ports.clock)
