"""The passes of a pod worker: each compares the spec with what the runtime holds, and does what is missing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterator

import msgspec

from podwright.agent.decisions.actions import PodActions, compute_pod_actions
from podwright.agent.decisions.termination import MIN_STOP_S
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.kubelet import KubeletMetrics
from podwright.agent.pods.containers import AnyContainer, all_containers, find_container, is_init
from podwright.agent.pods.deadlines import DEADLINE_EXCEEDED
from podwright.agent.pods.failures import NetworkNotReady, combined
from podwright.agent.pods.identity import is_sidecar, is_static
from podwright.agent.pods.phases import TERMINAL
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.resources.protocol import Cgroups
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import ObservedPod, SandboxStatus
from podwright.agent.volumes.failures import AttachLimitExceeded
from podwright.agent.workers.directories import make_log_directory, make_pod_directories
from podwright.agent.workers.killing import Killer
from podwright.agent.workers.ports import (
    Configs,
    Images,
    NoPodClaims,
    ObjectRegistry,
    PodClaims,
    PodMirrors,
    Probes,
    StatusKeeper,
    UserRanges,
    Volumes,
)
from podwright.agent.workers.resizing import Resizer
from podwright.agent.workers.restarts import Restarts
from podwright.agent.workers.starting import Starter, TargetSandbox
from podwright.agent.workers.syncer import SyncResult
from podwright.agent.workers.updates import SetStatus
from podwright.errors import DeadlineExceeded, FailedPrecondition, Internal, PodwrightError
from podwright.k8s.objects import Container, Pod
from podwright.timeline import Step

ATTACH_LIMIT_EXCEEDED = "VolumeAttachmentLimitExceeded"

IsEnough = Callable[[ObservedPod], bool]


class SyncerPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the passes need."""

    runtime: CriRuntime
    statuses: StatusKeeper
    starter: Starter
    killer: Killer
    resizer: Resizer
    configs: Configs
    images: Images
    volumes: Volumes
    cgroups: Cgroups
    probes: Probes
    objects: ObjectRegistry
    users: UserRanges
    mirrors: PodMirrors
    events: EventRecorder
    network_problem: Callable[[], str]  # why the network is not ready; empty when it is
    shown: Callable[[str, IsEnough], Awaitable[ObservedPod | None]]  # see `pleg.cache`
    look: Callable[[str], Awaitable[ObservedPod]]  # looks at the pod now
    handler_of: Callable[[Pod], str]  # the runtime handler that the pod's RuntimeClass means
    root: str
    metrics: KubeletMetrics
    claims: PodClaims = msgspec.field(default_factory=NoPodClaims)


class PodSyncer:
    """Implements `syncer.Syncer` for all pods."""

    def __init__(self, ports: SyncerPorts, restarts: Restarts) -> None:
        self._ports = ports
        self._restarts = restarts

    async def sync_pod(self, pod: Pod, mirror: Pod | None, observed: ObservedPod) -> SyncResult:
        ports = self._ports
        await ports.resizer.allocation_saved()
        ports.resizer.note_progress(pod, observed)
        status = ports.statuses.set(pod, await ports.statuses.build(pod, observed))
        if status.phase in TERMINAL:
            if status.reason == DEADLINE_EXCEEDED:
                ports.events.pod(pod, "Normal", status.reason, status.message)
            return SyncResult(is_terminal=True)
        self._check_network(pod)
        ports.objects.register(pod)
        await self._prepare_cgroup(pod, observed)
        if is_static(pod):
            await ports.mirrors.reconcile(pod, mirror)
        make_pod_directories(ports.root, pod.metadata.uid)
        try:
            await self._wait_for_volumes(pod)
        except AttachLimitExceeded as failure:
            self._refuse(pod, failure.message)
            return SyncResult(is_terminal=True)
        ports.probes.add(pod)
        return await self._act(pod, observed)

    def _refuse(self, pod: Pod, message: str) -> None:
        """Fail a pod that was admitted and cannot run here because of its volumes."""
        ports = self._ports
        ports.metrics.admission.refusals.add(ATTACH_LIMIT_EXCEEDED)
        ports.statuses.refuse(pod, ATTACH_LIMIT_EXCEEDED, message)
        ports.events.pod(pod, "Warning", ATTACH_LIMIT_EXCEEDED, message)

    async def _wait_for_volumes(self, pod: Pod) -> None:
        """Wait for the volumes.

        A timeout has no event of its own, as in the kubelet's SyncPod: each failure to set up a volume had one.
        """
        try:
            with Step("volumes"):
                await self._ports.volumes.wait_mounted(pod)
        except (DeadlineExceeded, FailedPrecondition):
            raise
        except PodwrightError as failure:
            self._ports.events.pod(pod, "Warning", "FailedMount", str(failure))
            raise

    def _check_network(self, pod: Pod) -> None:
        problem = "" if pod.spec.host_network else self._ports.network_problem()
        if problem:
            message = f"network is not ready: {problem}"
            self._ports.events.pod(pod, "Warning", "NetworkNotReady", message)
            raise NetworkNotReady(message)

    async def _prepare_cgroup(self, pod: Pod, observed: ObservedPod) -> None:
        """Make the pod's cgroup.

        If the cgroup is gone and containers run, end them first: without it they have no limits.
        """
        ports = self._ports
        if not ports.cgroups.exists(pod):
            if observed.running():
                await ports.killer.kill_pod(pod, observed, None)
            try:
                await ports.cgroups.ensure(pod)
            except PodwrightError as failure:
                message = f"unable to ensure pod container exists: {failure}"
                ports.events.pod(pod, "Warning", "FailedCreatePodContainer", message)
                raise
            await ports.resizer.note_cgroup(pod)

    async def _act(self, pod: Pod, observed: ObservedPod) -> SyncResult:
        """Do what `decisions` says is next. Raises BackOff and Internal if containers fail."""
        ports = self._ports
        actions = compute_pod_actions(pod, observed, ports.probes.finding_of, ports.resizer.actuated(pod))
        if actions.is_nothing:
            return SyncResult()
        await self._carry_out_kills(pod, observed, actions)
        if actions.kill_pod and not actions.create_sandbox:
            return SyncResult(acted=True)
        with self._counting_user_namespace(pod, actions):
            return await self._start_missing(pod, observed, actions)

    async def _start_missing(self, pod: Pod, observed: ObservedPod, actions: PodActions) -> SyncResult:
        """Create the sandbox and start the containers that are missing.

        Raises BackOff and Internal if containers fail.
        """
        ports = self._ports
        had_something = bool(observed.sandboxes or observed.containers)
        sandbox, observed = await self._ensure_sandbox(pod, observed, actions)
        started, failures = await self._start_all(pod, observed, actions, sandbox)
        if failures or actions.resize:
            seen = await ports.look(pod.metadata.uid)
            ports.resizer.note_progress(pod, seen)
            ports.statuses.set(pod, await ports.statuses.build(pod, seen))
        if failures:
            raise combined(failures)
        has_ended_some = (actions.kill_pod and had_something) or actions.restart_all or actions.kill
        return SyncResult(acted=True, started=frozenset() if has_ended_some else frozenset(started))

    @contextlib.contextmanager
    def _counting_user_namespace(self, pod: Pod, actions: PodActions) -> Iterator[None]:
        """Count the start of a pod with a user namespace, and its failure.

        Most such failures are those of its containers.
        """
        if not actions.create_sandbox or pod.spec.host_users is not False:
            yield
            return
        metrics = self._ports.metrics.starts
        metrics.user_pods.add()
        try:
            yield
        except (PodwrightError, OSError):
            metrics.user_pod_errors.add()
            raise

    async def _carry_out_kills(self, pod: Pod, observed: ObservedPod, actions: PodActions) -> None:
        ports = self._ports
        if actions.kill_pod:
            if actions.create_sandbox and observed.sandboxes:
                message = "Pod sandbox changed, it will be killed and re-created."
                ports.events.pod(pod, "Normal", "SandboxChanged", message)
            await ports.killer.kill_pod(pod, observed, None)
            if actions.create_sandbox:
                await self._remove_instances(observed, [container.name for container in pod.spec.init_containers])
        elif actions.restart_all:
            await ports.killer.kill_containers(pod, observed, observed.running(), 0)
            await self._remove_instances(observed, [container.name for container in all_containers(pod)])
        for kill in actions.kill:
            await ports.killer.kill(pod, observed, kill.status, message=kill.message, probe=kill.probe)

    async def _remove_instances(self, observed: ObservedPod, names: Collection[str]) -> None:
        """Remove all instances of these containers, so that they start as if for the first time."""
        for status in observed.containers:
            if status.name in names:
                await self._ports.runtime.remove_container(status.id)

    async def _ensure_sandbox(
        self, pod: Pod, observed: ObservedPod, actions: PodActions
    ) -> tuple[TargetSandbox, ObservedPod]:
        """Create the sandbox if it is missing.

        Returns the sandbox to start containers in, and the pod with that sandbox.
        """
        ports = self._ports
        if not actions.create_sandbox:
            config = ports.configs.sandbox(pod, actions.attempt)
            return TargetSandbox(id=actions.sandbox_id, config=config, handler=ports.handler_of(pod)), observed
        ports.metrics.starts.pods.add()
        await self._prepare_claims(pod)
        try:
            config = ports.configs.sandbox(pod, actions.attempt)
            handler = ports.handler_of(pod)
            make_log_directory(config.log_directory)
            sandbox_id = await ports.runtime.run_sandbox(config, handler)
        except (PodwrightError, OSError) as failure:
            ports.metrics.starts.pod_errors.add()
            message = f"Failed to create pod sandbox: {failure}"
            ports.events.pod(pod, "Warning", "FailedCreatePodSandBox", message)
            raise Internal(message) from failure
        status = await self._status_of_new(pod, sandbox_id)
        ports.statuses.set_ready_to_start(pod)
        now = msgspec.structs.replace(observed, sandboxes=(status, *observed.sandboxes))
        return TargetSandbox(id=sandbox_id, config=config, handler=handler), now

    async def _prepare_claims(self, pod: Pod) -> None:
        try:
            await self._ports.claims.prepare(pod)
        except PodwrightError as failure:
            message = f"Failed to prepare dynamic resources: prepare dynamic resources: {failure}"
            self._ports.events.pod(pod, "Warning", "FailedPrepareDynamicResources", message)
            raise Internal(message) from failure

    async def _status_of_new(self, pod: Pod, sandbox_id: str) -> SandboxStatus:
        """The status of a sandbox that was just made: from an event, or from the runtime. Raises PodwrightError."""
        ports = self._ports
        seen = await ports.shown(pod.metadata.uid, lambda seen: _ready_sandbox(seen, sandbox_id) is not None)
        if seen is not None and (shown := _ready_sandbox(seen, sandbox_id)) is not None:
            return shown
        try:
            status, _ = await ports.runtime.sandbox_status(sandbox_id)
        except PodwrightError as failure:
            message = f"Unable to get pod sandbox status: {failure}"
            ports.events.pod(pod, "Warning", "FailedPodSandBoxStatus", message)
            raise
        return status

    async def _start_all(
        self, pod: Pod, observed: ObservedPod, actions: PodActions, sandbox: TargetSandbox
    ) -> tuple[list[str], list[PodwrightError]]:
        """Start the containers in order. Returns the ids of the new containers, and the failures of the others.

        The pod is resized first. A kubelet starts init containers before that, but an init container that restarts for
        its new size would not fit into the pod's old cgroup (the quota of cgroup v1).
        """
        started: list[str] = []
        failures: list[PodwrightError] = []
        missing = await self._ports.images.ensure_volumes(pod, sandbox.config, sandbox.handler)
        sandbox = msgspec.structs.replace(sandbox, missing_images=missing)
        if actions.resize:
            try:
                await self._ports.resizer.resize(pod, actions.resize, sandbox)
            except PodwrightError as failure:
                failures.append(failure)
        for name in (*actions.start_ephemeral, *actions.start_init, *actions.start):
            container = find_container(pod, name)
            if container is None:
                continue
            try:
                started.append(await self._start(pod, container, sandbox, observed))
                continue
            except ContainerFailure as failure:
                failures.append(failure)
            if is_init(pod, name) and isinstance(container, Container) and not is_sidecar(container):
                break  # nothing starts before an init container has succeeded
        return started, failures

    async def _start(self, pod: Pod, container: AnyContainer, sandbox: TargetSandbox, observed: ObservedPod) -> str:
        ports = self._ports
        try:
            self._restarts.check(pod, container, observed)
            await ports.resizer.note_created(pod, container)
            with Step(f"start of container {container.name}"):
                container_id = await ports.starter.start(pod, container, sandbox, observed)
        except ContainerFailure as failure:
            ports.statuses.note_failure(pod, failure)
            raise
        ports.statuses.note_success(pod, container.name)
        return container_id

    async def sync_terminating_pod(
        self, pod: Pod, observed: ObservedPod, grace_s: int, set_status: SetStatus | None
    ) -> None:
        """See `workers.syncer`. Raises Internal if a container still runs afterwards."""
        ports, uid = self._ports, pod.metadata.uid
        status = await ports.statuses.build(pod, observed)
        ports.statuses.set(pod, set_status(status) if set_status is not None else status)
        ports.probes.stop_liveness_and_startup(uid)
        await ports.killer.kill_pod(pod, observed, grace_s)
        ports.probes.remove(uid)
        running = [status.id for status in observed.running()]
        seen = await ports.shown(uid, lambda pod: pod.shows_end(running)) or await ports.look(uid)
        _check_ended(seen)
        await ports.claims.unprepare(pod)  # before the API shows the end, since other pods may then get the devices
        # The containers' exit codes decide the phase, whatever the reason to end the pod.
        ports.statuses.set(pod, await ports.statuses.build(pod, seen, is_terminal=True))

    async def sync_terminating_runtime_pod(self, observed: ObservedPod) -> None:
        """See `workers.syncer`. Without a spec there are no hooks, and the grace is MIN_STOP_S. Raises Internal."""
        ports = self._ports
        stops = (ports.runtime.stop_container(status.id, MIN_STOP_S) for status in observed.running())
        for outcome in await asyncio.gather(*stops, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        await ports.killer.stop_sandboxes(observed)
        _check_ended(await ports.look(observed.uid))

    async def sync_terminated_pod(self, pod: Pod, observed: ObservedPod) -> None:
        ports = self._ports
        ports.statuses.set(pod, await ports.statuses.build(pod, observed, is_terminal=True))
        await ports.volumes.release(pod)
        ports.objects.unregister(pod)
        await ports.cgroups.remove(pod.metadata.uid)
        ports.users.release(pod.metadata.uid)
        ports.statuses.terminate(pod)


def _ready_sandbox(pod: ObservedPod, sandbox_id: str) -> SandboxStatus | None:
    """The sandbox with this id if it is ready and has its addresses."""
    found = (each for each in pod.ready_sandboxes() if each.id == sandbox_id)
    return next((each for each in found if each.ips or each.host_network), None)


def _check_ended(observed: ObservedPod) -> None:
    if running := [status.name for status in observed.running()]:
        raise Internal(f"containers still run after they were stopped: {', '.join(running)}")
