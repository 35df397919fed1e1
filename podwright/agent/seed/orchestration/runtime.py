"""The calls that make a pod be: sandbox, containers, hooks, stop, removal. Effects by CRI; no decisions.

Called by the pod worker. Everything here can be repeated: stopping and removing what is gone succeeds (CRI says so).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping

from podwright.agent.run.excerpt import excerpt
from podwright.agent.seed.manifest.container import Container, LifecycleHandler
from podwright.agent.seed.orchestration.container import (
    ContainerInputs,
    container_config,
    log_path,
    termination_file,
)
from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.environment import container_environment
from podwright.agent.seed.orchestration.failure import ContainerStartFailure
from podwright.agent.seed.orchestration.images import EnsuredImage
from podwright.agent.seed.orchestration.names_in_pod import etc_hosts
from podwright.agent.seed.orchestration.sandbox import sandbox_config
from podwright.agent.seed.pods.status import ContainerRecord, PodStatus
from podwright.agent.seed.volumes.mounts import plan_mounts
from podwright.agent.seed.volumes.plan import VolumePlan
from podwright.agent.seed.volumes.subpath import bind_subpath
from podwright.cri.client import DEFAULT_TIMEOUT_S, CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Internal, PodwrightError, Unavailable

SANDBOX_TIMEOUT_S = 2 * DEFAULT_TIMEOUT_S  # the kubelet's doubling: networks may be slow
MIN_GRACE_S = 2


class PodRuntime:
    """One pod at one CRI server."""

    def __init__(self, cri: CriClient, context: PodContext, volumes: Mapping[str, VolumePlan]) -> None:
        self._cri = cri
        self._context = context
        self._volumes = volumes

    def sandbox_config(self, attempt: int) -> api.PodSandboxConfig:
        """The config of that attempt, which image pulls and containers refer to."""
        return sandbox_config(self._context, attempt)

    async def create_sandbox(self, attempt: int) -> str:
        """Its id. Raises PodwrightError."""
        os.makedirs(self._context.log_directory, mode=0o755, exist_ok=True)
        request = api.RunPodSandboxRequest(
            config=sandbox_config(self._context, attempt),
            runtime_handler=self._context.pod.spec.runtime_class_name,
        )
        call = self._cri.call(self._cri.runtime.RunPodSandbox, request, timeout_s=SANDBOX_TIMEOUT_S)
        return (await call).pod_sandbox_id

    async def pod_ips(self, sandbox_id: str) -> tuple[str, ...]:
        """The pod's addresses, the first one being the main one; none on the host's network."""
        request = api.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        network = (await self._cri.call(self._cri.runtime.PodSandboxStatus, request)).status.network
        ips = (network.ip, *(extra.ip for extra in network.additional_ips))
        return tuple(ip for ip in ips if ip)

    async def start(self, container: Container, image: EnsuredImage, *, sandbox: tuple[str, int], attempt: int) -> str:
        """Create and start one instance in `sandbox` (id, attempt); its id.

        Raises ContainerStartFailure, and Unavailable when the runtime does not answer.
        """
        sandbox_id, sandbox_attempt = sandbox
        try:
            config = await self._config(container, image, sandbox_id, attempt)
        except Unavailable:
            raise
        except (PodwrightError, OSError) as failure:
            raise ContainerStartFailure(container.name, "CreateContainerConfigError", str(failure)) from failure
        request = api.CreateContainerRequest(
            pod_sandbox_id=sandbox_id,
            config=config,
            sandbox_config=sandbox_config(self._context, sandbox_attempt),
        )
        container_id = await self._create(container, request)
        try:
            start = api.StartContainerRequest(container_id=container_id)
            await self._cri.call(self._cri.runtime.StartContainer, start)
        except Unavailable:
            raise
        except PodwrightError as failure:
            raise ContainerStartFailure(container.name, "RunContainerError", str(failure)) from failure
        return container_id

    async def _create(self, container: Container, request: api.CreateContainerRequest) -> str:
        try:
            return (await self._cri.call(self._cri.runtime.CreateContainer, request)).container_id
        except Unavailable:
            raise
        except PodwrightError as failure:
            raise ContainerStartFailure(container.name, "CreateContainerError", str(failure)) from failure

    async def _config(
        self, container: Container, image: EnsuredImage, sandbox_id: str, attempt: int
    ) -> api.ContainerConfig:
        context = self._context
        ips = await self.pod_ips(sandbox_id)
        variables = container_environment(context, container, ips)
        mounts = plan_mounts(context, container, self._volumes, variables, attempt)
        _write(context.etc_hosts, etc_hosts(context, ips), 0o644)
        if container.termination_message_path:
            # Whoever the container runs as writes it.
            _write(termination_file(context, container, attempt), "", 0o666)
        os.makedirs(os.path.join(context.log_directory, container.name), mode=0o755, exist_ok=True)
        for bind in mounts.binds:
            await asyncio.to_thread(bind_subpath, bind.volume, bind.subpath, bind.target)
        inputs = ContainerInputs(
            attempt=attempt, image_ref=image.ref, image_user=image.user, pod_ips=ips, mounts=mounts.mounts
        )
        return container_config(context, container, inputs)

    async def run_hook(self, container_id: str, hook: LifecycleHandler, timeout_s: float) -> None:
        """Run a lifecycle hook to its end. Raises PodwrightError when it fails or takes longer."""
        if hook.sleep is not None:
            await asyncio.sleep(min(hook.sleep.seconds, timeout_s))
        if hook.exec is None:
            return
        request = api.ExecSyncRequest(container_id=container_id, cmd=hook.exec.command, timeout=max(1, int(timeout_s)))
        call = self._cri.call(self._cri.runtime.ExecSync, request, timeout_s=timeout_s + DEFAULT_TIMEOUT_S)
        response = await call
        if response.exit_code != 0:
            output = excerpt((response.stderr or response.stdout).decode(errors="replace"))
            raise Internal(f"hook {' '.join(hook.exec.command)} ended with code {response.exit_code}: {output}")

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        """SIGTERM (or the image's signal), then SIGKILL after the grace. Returns when it has ended."""
        request = api.StopContainerRequest(container_id=container_id, timeout=grace_s)
        await self._cri.call(self._cri.runtime.StopContainer, request, timeout_s=grace_s + DEFAULT_TIMEOUT_S)

    async def remove_container(self, record: ContainerRecord) -> None:
        """Its log first, as the kubelet does it, then the container."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self._context.log_directory, log_path(record.name, record.attempt)))
        request = api.RemoveContainerRequest(container_id=record.id)
        await self._cri.call(self._cri.runtime.RemoveContainer, request)

    async def stop_sandboxes(self, status: PodStatus) -> None:
        """All of them, whatever state they are in: it is what gives addresses and ports back."""
        for sandbox in status.sandboxes:
            request = api.StopPodSandboxRequest(pod_sandbox_id=sandbox.id)
            await self._cri.call(self._cri.runtime.StopPodSandbox, request)

    async def remove_all(self, status: PodStatus) -> None:
        """Containers, then sandboxes; everything must have been stopped."""
        for record in status.containers:
            request = api.RemoveContainerRequest(container_id=record.id)
            await self._cri.call(self._cri.runtime.RemoveContainer, request)
        for sandbox in status.sandboxes:
            remove = api.RemovePodSandboxRequest(pod_sandbox_id=sandbox.id)
            await self._cri.call(self._cri.runtime.RemovePodSandbox, remove)


async def run_pre_stop(
    runtime: PodRuntime, container: Container, container_id: str, grace_s: float
) -> tuple[float, str]:
    """(grace that is left, what went wrong): the hook's time counts against the grace, its failure does not."""
    hook = container.lifecycle.pre_stop
    if hook is None or grace_s <= 0:
        return grace_s, ""
    started, problem = time.monotonic(), ""
    try:
        async with asyncio.timeout(grace_s):
            await runtime.run_hook(container_id, hook, grace_s)
    except TimeoutError:
        problem = f"preStop took longer than {grace_s:g} s"
    except PodwrightError as failure:
        problem = str(failure)
    return max(grace_s - (time.monotonic() - started), MIN_GRACE_S), problem


def _write(path: str, text: str, mode: int) -> None:
    """Replace the contents in place: containers have the file itself mounted."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
