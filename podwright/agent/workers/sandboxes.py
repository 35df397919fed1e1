"""Starts a pod's sandbox: ResourceClaims, config, the directory of its logs, RunPodSandbox, the sandbox's status."""

from __future__ import annotations

import msgspec

from podwright.agent.decisions.actions import PodActions
from podwright.agent.runtime.records import ObservedPod, SandboxStatus
from podwright.agent.workers.directories import make_log_directory
from podwright.agent.workers.ports import SyncerPorts
from podwright.agent.workers.starting import TargetSandbox
from podwright.errors import Internal, PodwrightError
from podwright.k8s.objects import Pod


class SandboxStarter:
    """Starts the sandboxes of all pods."""

    def __init__(self, ports: SyncerPorts) -> None:
        self._ports = ports

    async def ensure(self, pod: Pod, observed: ObservedPod, actions: PodActions) -> tuple[TargetSandbox, ObservedPod]:
        """Create the sandbox if it is missing. Raises Internal.

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
        seen = await ports.looks.shown(pod.metadata.uid, lambda seen: _ready_sandbox(seen, sandbox_id) is not None)
        if seen is not None and (shown := _ready_sandbox(seen, sandbox_id)) is not None:
            return shown
        try:
            status, _ = await ports.runtime.sandbox_status(sandbox_id)
        except PodwrightError as failure:
            message = f"Unable to get pod sandbox status: {failure}"
            ports.events.pod(pod, "Warning", "FailedPodSandBoxStatus", message)
            raise
        return status


def _ready_sandbox(pod: ObservedPod, sandbox_id: str) -> SandboxStatus | None:
    """The sandbox with this id if it is ready and has its addresses."""
    found = (each for each in pod.ready_sandboxes() if each.id == sandbox_id)
    return next((each for each in found if each.ips or each.host_network), None)
