"""The probes of all pods: a worker for each probe of each container that runs as long as its pod does.

Pod workers call `add` in every pass, which also shows new instances to the probes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterator

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.pods.containers import lasting_containers
from podwright.agent.probes.findings import Findings
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.probes.schedule import probe_of
from podwright.agent.probes.worker import Deliver, ProbeRunner, ProbeWorkerPorts, Worker
from podwright.agent.runtime.records import ObservedPod
from podwright.k8s.objects import ContainerStatus, Pod
from podwright.tasks import Tasks


class _Probed(msgspec.Struct, kw_only=True):
    """One pod's workers, by container and kind, with their tasks."""

    pod: Pod
    workers: dict[tuple[str, ProbeKind], tuple[Worker, asyncio.Task[None]]] = msgspec.field(default_factory=dict)
    is_ending: bool = False


class ProbeManager:
    """Keeps a worker for each probe. Implements `workers.ports.Probes`."""

    def __init__(
        self,
        prober: ProbeRunner,
        deliver: Deliver,
        clock: Clock,
        *,
        look: Callable[[str], ObservedPod | None],
        host_ip: Callable[[], str],
        spread: Callable[[], float] = random.random,
    ) -> None:
        """`look` returns the newest look at a pod (`pleg.cache.StatusCache.peek`), `host_ip` the node's address."""
        self._look = look
        self._host_ip = host_ip
        self._findings = Findings()
        self._pods: dict[str, _Probed] = {}
        self._tasks = Tasks()
        self._ports = ProbeWorkerPorts(
            prober=prober,
            findings=self._findings,
            deliver=deliver,
            refresh=self.refresh,
            clock=clock,
            agent_started_at_ns=clock.now_ns(),
            random=spread,
        )

    def finding_of(self, container_id: str, kind: ProbeKind) -> ProbeResult | None:
        """The result of an instance. None if it has no such probe, or was started long before this agent."""
        return self._findings.get(container_id, kind)

    def add(self, pod: Pod) -> None:
        """Probe the pod's containers from now on.

        Called again for each new version of the pod, or instance of a container.
        """
        uid = pod.metadata.uid
        probed = self._pods.setdefault(uid, _Probed(pod=pod))
        probed.pod = pod
        if not probed.is_ending:
            for worker in self._missing(probed):
                task = self._tasks.start(worker.work(), name=_task_name(worker))
                probed.workers[worker.container.name, worker.kind] = worker, task
        if probed.workers:
            self.refresh(uid)

    def _missing(self, probed: _Probed) -> Iterator[Worker]:
        for container in lasting_containers(probed.pod):
            for kind in ProbeKind:
                probe = probe_of(container, kind)
                if probe is not None and (container.name, kind) not in probed.workers:
                    yield Worker(self._ports, probed.pod, container, kind, probe)

    def refresh(self, uid: str) -> None:
        """Show the pod's workers the newest look at it."""
        probed = self._pods.get(uid)
        if probed is None:
            return
        observed = self._look(uid)
        ip = self._host_ip() if probed.pod.spec.host_network else _first_ip(observed)
        # Startup first: its result decides whether the other probes of the instance may run.
        for (name, kind), (worker, task) in sorted(probed.workers.items(), key=_startup_first):
            if task.cancelling():
                continue
            worker.pod = probed.pod
            status = observed.newest(name) if observed is not None else None
            was_good = status is not None and _was_good(probed.pod, name, status.id, kind)
            worker.see(status, ip, was_good=was_good)

    def stop_liveness_and_startup(self, uid: str) -> None:
        """Stop these probes, so that they cannot restart containers of a pod that ends. The results stay."""
        probed = self._pods.get(uid)
        if probed is None:
            return
        probed.is_ending = True
        for worker, task in probed.workers.values():
            if worker.kind is not ProbeKind.READINESS:
                task.cancel()

    def remove(self, uid: str) -> None:
        """Stop probing the pod, and forget the results."""
        probed = self._pods.pop(uid, None)
        if probed is None:
            return
        for worker, task in probed.workers.values():
            task.cancel()
            worker.see(None, "", was_good=False)
        self._ports.prober.forget(probed.pod)

    def retain(self, uids: Collection[str]) -> None:
        """Remove all pods except these."""
        for uid in self._pods.keys() - set(uids):
            self.remove(uid)

    async def close(self) -> None:
        """End all workers."""
        self._pods.clear()
        await self._tasks.close()


def _task_name(worker: Worker) -> str:
    return f"{worker.kind.value} probe {worker.pod.metadata.name}/{worker.container.name}"


def _startup_first(item: tuple[tuple[str, ProbeKind], object]) -> bool:
    return item[0][1] is not ProbeKind.STARTUP


def _first_ip(observed: ObservedPod | None) -> str:
    return observed.ips[0] if observed is not None and observed.ips else ""


def _was_good(pod: Pod, name: str, container_id: str, kind: ProbeKind) -> bool:
    """Whether the API's status, which an earlier agent wrote, shows this instance as ready, or as started."""
    for status in (*pod.status.container_statuses, *pod.status.init_container_statuses):
        if status.name == name and status.container_id.rpartition("//")[2] == container_id:
            return _shows(status, kind)
    return False


def _shows(status: ContainerStatus, kind: ProbeKind) -> bool:
    match kind:
        case ProbeKind.READINESS:
            return status.ready
        case ProbeKind.STARTUP:
            return status.started is True
        case ProbeKind.LIVENESS:
            return False
