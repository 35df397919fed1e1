"""The passes of a pod worker: each compares the spec with what the runtime holds, and does what is missing.

`PodSyncer` has the passes under the kubelet's names (pkg/kubelet/kubelet.go). `runtime_sync` does their work at the
runtime while a pod runs.
"""

from __future__ import annotations

import asyncio

from podwright.agent.decisions.termination import MIN_STOP_S
from podwright.agent.pods.deadlines import DEADLINE_EXCEEDED
from podwright.agent.pods.failures import NetworkNotReady
from podwright.agent.pods.identity import is_static
from podwright.agent.pods.phases import TERMINAL
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.volumes.failures import AttachLimitExceeded
from podwright.agent.workers.directories import make_pod_directories
from podwright.agent.workers.hooks import Hooks
from podwright.agent.workers.killing import Killer
from podwright.agent.workers.ports import SyncerPorts
from podwright.agent.workers.resizing import Resizer
from podwright.agent.workers.restarts import Restarts
from podwright.agent.workers.runtime_sync import RuntimeSyncer
from podwright.agent.workers.starting import Starter
from podwright.agent.workers.syncer import SyncResult
from podwright.agent.workers.updates import SetStatus
from podwright.errors import DeadlineExceeded, FailedPrecondition, Internal, PodwrightError
from podwright.k8s.objects import Pod
from podwright.timeline import Step

ATTACH_LIMIT_EXCEEDED = "VolumeAttachmentLimitExceeded"


class PodSyncer:
    """Implements `syncer.Syncer` for all pods."""

    def __init__(self, ports: SyncerPorts, restarts: Restarts) -> None:
        self._ports = ports
        hooks = Hooks(ports)
        self._killer = Killer(ports, hooks)
        self._resizer = Resizer(ports)
        starter = Starter(ports, hooks, self._killer)
        self._runtime = RuntimeSyncer(ports, starter, self._killer, self._resizer, restarts)

    # -- while the pod is wanted

    async def sync_pod(self, pod: Pod, mirror: Pod | None, observed: ObservedPod) -> SyncResult:
        """See `syncer.Syncer`. Prepares all that the containers need, then has the runtime hold them."""
        ports = self._ports
        await self._resizer.allocation_saved()
        self._resizer.note_progress(pod, observed)
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
        return await self._runtime.sync(pod, observed)

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
                await self._killer.kill_pod(pod, observed, None)
            try:
                await ports.cgroups.ensure(pod)
            except PodwrightError as failure:
                message = f"unable to ensure pod container exists: {failure}"
                ports.events.pod(pod, "Warning", "FailedCreatePodContainer", message)
                raise
            await self._resizer.note_cgroup(pod)

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

    def _refuse(self, pod: Pod, message: str) -> None:
        """Fail a pod that was admitted and cannot run here because of its volumes."""
        ports = self._ports
        ports.metrics.admission.refusals.add(ATTACH_LIMIT_EXCEEDED)
        ports.statuses.refuse(pod, ATTACH_LIMIT_EXCEEDED, message)
        ports.events.pod(pod, "Warning", ATTACH_LIMIT_EXCEEDED, message)

    # -- when it is to end

    async def sync_terminating_pod(
        self, pod: Pod, observed: ObservedPod, grace_s: int, set_status: SetStatus | None
    ) -> None:
        """See `syncer.Syncer`. Raises Internal if a container still runs afterwards."""
        ports, uid = self._ports, pod.metadata.uid
        status = await ports.statuses.build(pod, observed)
        ports.statuses.set(pod, set_status(status) if set_status is not None else status)
        ports.probes.stop_liveness_and_startup(uid)
        await self._killer.kill_pod(pod, observed, grace_s)
        ports.probes.remove(uid)
        running = [status.id for status in observed.running()]
        seen = await ports.looks.shown(uid, lambda pod: pod.shows_end(running)) or await ports.looks.look(uid)
        _check_ended(seen)
        await ports.claims.unprepare(pod)  # before the API shows the end, since other pods may then get the devices
        # The containers' exit codes decide the phase, whatever the reason to end the pod.
        ports.statuses.set(pod, await ports.statuses.build(pod, seen, is_terminal=True))

    async def sync_terminating_runtime_pod(self, observed: ObservedPod) -> None:
        """See `syncer.Syncer`. Without a spec there are no hooks, and the grace is MIN_STOP_S. Raises Internal."""
        ports = self._ports
        stops = (ports.runtime.stop_container(status.id, MIN_STOP_S) for status in observed.running())
        for outcome in await asyncio.gather(*stops, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        await self._killer.stop_sandboxes(observed)
        _check_ended(await ports.looks.look(observed.uid))

    async def sync_terminated_pod(self, pod: Pod, observed: ObservedPod) -> None:
        """See `syncer.Syncer`. The last status is published first. Raises PodwrightError and OSError."""
        ports = self._ports
        ports.statuses.set(pod, await ports.statuses.build(pod, observed, is_terminal=True))
        await ports.volumes.release(pod)
        ports.objects.unregister(pod)
        await ports.cgroups.remove(pod.metadata.uid)
        ports.users.release(pod.metadata.uid)
        ports.statuses.terminate(pod)


def _check_ended(observed: ObservedPod) -> None:
    if running := [status.name for status in observed.running()]:
        raise Internal(f"containers still run after they were stopped: {', '.join(running)}")
