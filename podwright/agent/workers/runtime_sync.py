"""Has the runtime hold what a pod's spec wants: ends containers, makes the sandbox, resizes, starts containers.

The kubelet's counterpart is SyncPod of pkg/kubelet/kuberuntime.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator

import msgspec

from podwright.agent.decisions.actions import PodActions, compute_pod_actions
from podwright.agent.pods.containers import AnyContainer, all_containers, find_container, is_init
from podwright.agent.pods.failures import combined
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.runtime.records import ObservedPod
from podwright.agent.workers.killing import Killer
from podwright.agent.workers.ports import SyncerPorts
from podwright.agent.workers.resizing import Resizer
from podwright.agent.workers.restarts import Restarts
from podwright.agent.workers.sandboxes import SandboxStarter
from podwright.agent.workers.starting import Starter, TargetSandbox
from podwright.agent.workers.syncer import SyncResult
from podwright.errors import PodwrightError
from podwright.k8s.objects import Container, Pod
from podwright.timeline import Step


class RuntimeSyncer:
    """Does what `decisions.actions` says, for all pods."""

    def __init__(
        self, ports: SyncerPorts, starter: Starter, killer: Killer, resizer: Resizer, restarts: Restarts
    ) -> None:
        self._ports = ports
        self._sandboxes = SandboxStarter(ports)
        self._starter = starter
        self._killer = killer
        self._resizer = resizer
        self._restarts = restarts

    async def sync(self, pod: Pod, observed: ObservedPod) -> SyncResult:
        """Do what is next for the pod. Raises BackOff and Internal if containers fail."""
        ports = self._ports
        actions = compute_pod_actions(pod, observed, ports.probes.finding_of, self._resizer.actuated(pod))
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
        sandbox, observed = await self._sandboxes.ensure(pod, observed, actions)
        started, failures = await self._start_all(pod, observed, actions, sandbox)
        if failures or actions.resize:
            seen = await ports.looks.look(pod.metadata.uid)
            self._resizer.note_progress(pod, seen)
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
            await self._killer.kill_pod(pod, observed, None)
            if actions.create_sandbox:
                await self._remove_instances(observed, [container.name for container in pod.spec.init_containers])
        elif actions.restart_all:
            await self._killer.kill_containers(pod, observed, observed.running(), 0)
            await self._remove_instances(observed, [container.name for container in all_containers(pod)])
        for kill in actions.kill:
            await self._killer.kill(pod, observed, kill.status, message=kill.message, probe=kill.probe)

    async def _remove_instances(self, observed: ObservedPod, names: Collection[str]) -> None:
        """Remove all instances of these containers, so that they start as if for the first time."""
        for status in observed.containers:
            if status.name in names:
                await self._ports.runtime.remove_container(status.id)

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
                await self._resizer.resize(pod, actions.resize, sandbox)
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
            await self._resizer.note_created(pod, container)
            with Step(f"start of container {container.name}"):
                container_id = await self._starter.start(pod, container, sandbox, observed)
        except ContainerFailure as failure:
            ports.statuses.note_failure(pod, failure)
            raise
        ports.statuses.note_success(pod, container.name)
        return container_id
