"""The `CriRuntime` and `CriImages` of a real runtime: each method is one RPC with its deadline.

The deadlines are the kubelet's (cri-client): two minutes, twice that for a sandbox, and what a stop or a command may
take on top.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

from podwright.agent.pods.identity import POD_UID
from podwright.agent.runtime import convert
from podwright.agent.runtime.records import (
    ContainerSummary,
    CriContainerStatus,
    ExecResult,
    FilesystemSpace,
    ImageStatus,
    RegistryCredentials,
    RuntimeEvent,
    RuntimeState,
    RuntimeVersion,
    SandboxStatus,
    SandboxSummary,
)
from podwright.cri.client import DEFAULT_TIMEOUT_S, CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound, Unimplemented

Response = TypeVar("Response")

LONG_EXEC_S = 24 * 3600.0  # for a command without a limit


class RuntimeClient:
    """A `CriRuntime` by gRPC."""

    def __init__(self, cri: CriClient, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """`timeout_s` is the deadline of an ordinary call."""
        self._cri = cri
        self._rpc = cri.runtime
        self._timeout_s = timeout_s

    async def version(self) -> RuntimeVersion:
        answer = await self._cri.call(self._rpc.Version, api.VersionRequest(), self._timeout_s)
        return RuntimeVersion(
            name=answer.runtime_name, version=answer.runtime_version, api_version=answer.runtime_api_version
        )

    async def state(self) -> RuntimeState:
        return convert.runtime_state(await self._cri.call(self._rpc.Status, api.StatusRequest(), self._timeout_s))

    async def cgroup_driver(self) -> str | None:
        try:
            answer = await self._cri.call(self._rpc.RuntimeConfig, api.RuntimeConfigRequest(), self._timeout_s)
        except Unimplemented:
            return None
        if not answer.HasField("linux"):
            return None
        return "systemd" if answer.linux.cgroup_driver == api.SYSTEMD else "cgroupfs"

    async def set_pod_cidr(self, cidr: str) -> None:
        network = api.NetworkConfig(pod_cidr=cidr)
        request = api.UpdateRuntimeConfigRequest(runtime_config=api.RuntimeConfig(network_config=network))
        await self._cri.call(self._rpc.UpdateRuntimeConfig, request, self._timeout_s)

    async def sandboxes(self) -> list[SandboxSummary]:
        answer = await self._cri.call(self._rpc.ListPodSandbox, api.ListPodSandboxRequest(), self._timeout_s)
        return [summary for item in answer.items if (summary := convert.sandbox_summary(item)) is not None]

    async def containers(self) -> list[ContainerSummary]:
        answer = await self._cri.call(self._rpc.ListContainers, api.ListContainersRequest(), self._timeout_s)
        return [summary for item in answer.containers if (summary := convert.container_summary(item)) is not None]

    async def pod_sandboxes(self, pod_uid: str) -> list[SandboxSummary]:
        chosen = api.PodSandboxFilter(label_selector={POD_UID: pod_uid})
        request = api.ListPodSandboxRequest(filter=chosen)
        answer = await self._cri.call(self._rpc.ListPodSandbox, request, self._timeout_s)
        return [summary for item in answer.items if (summary := convert.sandbox_summary(item)) is not None]

    async def pod_containers(self, pod_uid: str) -> list[ContainerSummary]:
        chosen = api.ContainerFilter(label_selector={POD_UID: pod_uid})
        request = api.ListContainersRequest(filter=chosen)
        answer = await self._cri.call(self._rpc.ListContainers, request, self._timeout_s)
        return [summary for item in answer.containers if (summary := convert.container_summary(item)) is not None]

    async def sandbox_status(self, sandbox_id: str) -> tuple[SandboxStatus, tuple[CriContainerStatus, ...] | None]:
        request = api.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        answer = await self._cri.call(self._rpc.PodSandboxStatus, request, self._timeout_s)
        containers = None
        if answer.timestamp:  # only runtimes that fill in the containers set it (KEP 3386)
            containers = tuple(convert.container_status(each, sandbox_id) for each in answer.containers_statuses)
        return convert.sandbox_status(answer.status), containers

    async def container_status(self, container_id: str) -> CriContainerStatus:
        request = api.ContainerStatusRequest(container_id=container_id)
        answer = await self._cri.call(self._rpc.ContainerStatus, request, self._timeout_s)
        return convert.container_status(answer.status)

    async def events(self, begun: asyncio.Event) -> AsyncIterator[RuntimeEvent]:
        async for message in self._cri.stream(self._rpc.GetContainerEvents, api.GetEventsRequest(), begun=begun):
            yield convert.event(message)

    async def run_sandbox(self, config: api.PodSandboxConfig, handler: str) -> str:
        request = api.RunPodSandboxRequest(config=config, runtime_handler=handler)
        return (await self._cri.call(self._rpc.RunPodSandbox, request, 2 * self._timeout_s)).pod_sandbox_id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        request = api.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        await _unless_gone(self._cri.call(self._rpc.StopPodSandbox, request, self._timeout_s))

    async def remove_sandbox(self, sandbox_id: str) -> None:
        request = api.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        await _unless_gone(self._cri.call(self._rpc.RemovePodSandbox, request, self._timeout_s))

    async def create_container(
        self, sandbox_id: str, config: api.ContainerConfig, sandbox_config: api.PodSandboxConfig
    ) -> str:
        request = api.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox_config)
        return (await self._cri.call(self._rpc.CreateContainer, request, self._timeout_s)).container_id

    async def start_container(self, container_id: str) -> None:
        request = api.StartContainerRequest(container_id=container_id)
        await self._cri.call(self._rpc.StartContainer, request, self._timeout_s)

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        request = api.StopContainerRequest(container_id=container_id, timeout=grace_s)
        await _unless_gone(self._cri.call(self._rpc.StopContainer, request, self._timeout_s + grace_s))

    async def remove_container(self, container_id: str) -> None:
        request = api.RemoveContainerRequest(container_id=container_id)
        await _unless_gone(self._cri.call(self._rpc.RemoveContainer, request, self._timeout_s))

    async def update_container(self, container_id: str, resources: api.LinuxContainerResources) -> None:
        request = api.UpdateContainerResourcesRequest(container_id=container_id, linux=resources)
        await self._cri.call(self._rpc.UpdateContainerResources, request, self._timeout_s)

    async def update_sandbox(
        self, sandbox_id: str, overhead: api.LinuxContainerResources, resources: api.LinuxContainerResources
    ) -> None:
        request = api.UpdatePodSandboxResourcesRequest(
            pod_sandbox_id=sandbox_id, overhead=overhead, resources=resources
        )
        await self._cri.call(self._rpc.UpdatePodSandboxResources, request, self._timeout_s)

    async def exec_sync(self, container_id: str, command: list[str], timeout_s: int) -> ExecResult:
        request = api.ExecSyncRequest(container_id=container_id, cmd=command, timeout=timeout_s)
        deadline_s = self._timeout_s + (timeout_s or LONG_EXEC_S)
        answer = await self._cri.call(self._rpc.ExecSync, request, deadline_s)
        return ExecResult(exit_code=answer.exit_code, stdout=answer.stdout, stderr=answer.stderr)

    async def reopen_log(self, container_id: str) -> None:
        request = api.ReopenContainerLogRequest(container_id=container_id)
        await self._cri.call(self._rpc.ReopenContainerLog, request, self._timeout_s)

    async def exec_url(self, request: api.ExecRequest) -> str:
        return (await self._cri.call(self._rpc.Exec, request, self._timeout_s)).url

    async def attach_url(self, request: api.AttachRequest) -> str:
        return (await self._cri.call(self._rpc.Attach, request, self._timeout_s)).url

    async def port_forward_url(self, request: api.PortForwardRequest) -> str:
        return (await self._cri.call(self._rpc.PortForward, request, self._timeout_s)).url

    async def checkpoint_container(self, container_id: str, location: str, timeout_s: int) -> None:
        request = api.CheckpointContainerRequest(container_id=container_id, location=location, timeout=timeout_s)
        await self._cri.call(self._rpc.CheckpointContainer, request, self._timeout_s + timeout_s)

    async def container_stats(self) -> list[api.ContainerStats]:
        request = api.ListContainerStatsRequest()
        return list((await self._cri.call(self._rpc.ListContainerStats, request, self._timeout_s)).stats)

    async def sandbox_stats(self) -> list[api.PodSandboxStats]:
        request = api.ListPodSandboxStatsRequest()
        return list((await self._cri.call(self._rpc.ListPodSandboxStats, request, self._timeout_s)).stats)

    async def stats_of_sandbox(self, sandbox_id: str) -> api.PodSandboxStats:
        request = api.PodSandboxStatsRequest(pod_sandbox_id=sandbox_id)
        return (await self._cri.call(self._rpc.PodSandboxStats, request, self._timeout_s)).stats

    async def metric_descriptors(self) -> list[api.MetricDescriptor]:
        request = api.ListMetricDescriptorsRequest()
        return list((await self._cri.call(self._rpc.ListMetricDescriptors, request, self._timeout_s)).descriptors)

    async def sandbox_metrics(self) -> list[api.PodSandboxMetrics]:
        request = api.ListPodSandboxMetricsRequest()
        return list((await self._cri.call(self._rpc.ListPodSandboxMetrics, request, self._timeout_s)).pod_metrics)


class ImagesClient:
    """A `CriImages` by gRPC."""

    def __init__(self, cri: CriClient, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._cri = cri
        self._rpc = cri.images
        self._timeout_s = timeout_s

    async def images(self) -> list[ImageStatus]:
        answer = await self._cri.call(self._rpc.ListImages, api.ListImagesRequest(), self._timeout_s)
        return [convert.image(item) for item in answer.images]

    async def image(self, reference: str, *, annotations: dict[str, str] | None = None) -> ImageStatus | None:
        spec = api.ImageSpec(image=reference, annotations=annotations)
        answer = await self._cri.call(self._rpc.ImageStatus, api.ImageStatusRequest(image=spec), self._timeout_s)
        return convert.image(answer.image) if answer.HasField("image") and answer.image.id else None

    async def pull(
        self, reference: str, credentials: RegistryCredentials | None, sandbox_config: api.PodSandboxConfig | None
    ) -> str:
        request = api.PullImageRequest(
            image=api.ImageSpec(image=reference), auth=_auth(credentials), sandbox_config=sandbox_config
        )
        return (await self._cri.call(self._rpc.PullImage, request, None)).image_ref

    async def remove_image(self, reference: str) -> None:
        request = api.RemoveImageRequest(image=api.ImageSpec(image=reference))
        await _unless_gone(self._cri.call(self._rpc.RemoveImage, request, self._timeout_s))

    async def filesystems(self) -> tuple[list[FilesystemSpace], list[FilesystemSpace]]:
        answer = await self._cri.call(self._rpc.ImageFsInfo, api.ImageFsInfoRequest(), self._timeout_s)
        return (
            [convert.filesystem(usage) for usage in answer.image_filesystems],
            [convert.filesystem(usage) for usage in answer.container_filesystems],
        )


def _auth(credentials: RegistryCredentials | None) -> api.AuthConfig | None:
    if credentials is None:
        return None
    return api.AuthConfig(
        username=credentials.username,
        password=credentials.password,
        auth=credentials.auth,
        identity_token=credentials.identity_token,
        registry_token=credentials.registry_token,
    )


async def _unless_gone(call: Awaitable[Response]) -> None:
    """Await a stop or removal. An absent object succeeds."""
    with contextlib.suppress(NotFound):
        await call
