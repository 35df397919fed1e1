"""A CRI endpoint as a target: each step is one gRPC call, like the kubelet's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from podwright.bench.options import TargetOptions
from podwright.bench.targets import cri_streams
from podwright.bench.targets.base import (
    EXEC_COMMAND,
    IDLE_COMMAND,
    LABEL,
    NAMESPACE,
    StartedContainer,
    StartedPod,
    TargetVersion,
    Tunnel,
    new_run_id,
)
from podwright.bench.targets.sweeping import sweep_until_empty
from podwright.bench.timing import timed_ms
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Internal


class CriTarget:
    """A BenchTarget."""

    def __init__(self, options: TargetOptions, *, image: str, log_root: str) -> None:
        self.options = options
        self._cri = CriClient(options.endpoint)
        self._image = image
        self._log_root = log_root
        self.run_id = new_run_id()
        self._made = 0

    async def version(self) -> TargetVersion:
        said = await self._cri.call(self._cri.runtime.Version, api.VersionRequest())
        return TargetVersion(
            runtime_name=said.runtime_name,
            runtime_version=said.runtime_version,
            api_version=said.runtime_api_version,
        )

    async def ensure_image(self, image: str) -> None:
        if not await self._has_image(image):
            await self.pull(image)

    async def _has_image(self, image: str) -> bool:
        request = api.ImageStatusRequest(image=api.ImageSpec(image=image))
        return bool((await self._cri.call(self._cri.images.ImageStatus, request)).image.id)

    async def start_pod(self, command: tuple[str, ...] = IDLE_COMMAND) -> StartedPod:
        config = self._sandbox_config()
        request = api.RunPodSandboxRequest(config=config, runtime_handler=self.options.handler)
        sandbox, sandbox_ms = await timed_ms(self._cri.call(self._cri.runtime.RunPodSandbox, request))
        container = await self._start_container(sandbox.pod_sandbox_id, config, "main", command)
        steps_ms = {"RunPodSandbox": sandbox_ms, **container.steps_ms}
        return StartedPod(id=sandbox.pod_sandbox_id, container_id=container.id, steps_ms=steps_ms, context=config)

    async def add_container(self, pod: StartedPod, name: str) -> StartedContainer:
        assert isinstance(pod.context, api.PodSandboxConfig)
        return await self._start_container(pod.id, pod.context, name, IDLE_COMMAND)

    async def _start_container(
        self, sandbox_id: str, config: api.PodSandboxConfig, name: str, command: tuple[str, ...]
    ) -> StartedContainer:
        create_request = api.CreateContainerRequest(
            pod_sandbox_id=sandbox_id, config=self._container_config(name, command), sandbox_config=config
        )
        made, create_ms = await timed_ms(self._cri.call(self._cri.runtime.CreateContainer, create_request))
        start_request = api.StartContainerRequest(container_id=made.container_id)
        _, start_ms = await timed_ms(self._cri.call(self._cri.runtime.StartContainer, start_request))
        steps_ms = {"CreateContainer": create_ms, "StartContainer": start_ms}
        return StartedContainer(id=made.container_id, steps_ms=steps_ms)

    async def end_pod(self, pod: StartedPod) -> Mapping[str, float]:
        runtime = self._cri.runtime
        stop_request = api.StopPodSandboxRequest(pod_sandbox_id=pod.id)
        _, stop_ms = await timed_ms(self._cri.call(runtime.StopPodSandbox, stop_request))
        remove_request = api.RemovePodSandboxRequest(pod_sandbox_id=pod.id)
        _, remove_ms = await timed_ms(self._cri.call(runtime.RemovePodSandbox, remove_request))
        return {"StopPodSandbox": stop_ms, "RemovePodSandbox": remove_ms}

    async def address(self, pod: StartedPod) -> str:
        request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id)
        return (await self._cri.call(self._cri.runtime.PodSandboxStatus, request)).status.network.ip

    async def exec_sync(self, container_id: str) -> None:
        request = api.ExecSyncRequest(container_id=container_id, cmd=EXEC_COMMAND, timeout=60)
        response = await self._cri.call(self._cri.runtime.ExecSync, request)
        if response.exit_code != 0:
            raise Internal(f"`true` ended with {response.exit_code} in container {container_id}")

    async def exec_stream(self, container_id: str) -> None:
        await cri_streams.run_exec(self._cri, container_id, EXEC_COMMAND)

    @contextlib.asynccontextmanager
    async def tunnel(self, pod: StartedPod) -> AsyncIterator[Tunnel]:
        async with cri_streams.open_tunnel(self._cri, pod.id) as tunnel:
            yield tunnel

    async def relist(self) -> int:
        runtime = self._cri.runtime
        pods = await self._cri.call(runtime.ListPodSandbox, api.ListPodSandboxRequest())
        await self._cri.call(runtime.ListContainers, api.ListContainersRequest())
        return sum(pod.labels.get(LABEL) == self.run_id for pod in pods.items)

    async def list_images(self) -> int:
        return len((await self._cri.call(self._cri.images.ListImages, api.ListImagesRequest())).images)

    async def pull(self, image: str) -> None:
        request = api.PullImageRequest(image=api.ImageSpec(image=image))
        await self._cri.call(self._cri.images.PullImage, request, timeout_s=None)

    async def remove_image(self, image: str) -> None:
        if await self._has_image(image):  # CRI-O 1.29 fails for an absent image
            await self._cri.call(
                self._cri.images.RemoveImage, api.RemoveImageRequest(image=api.ImageSpec(image=image))
            )

    async def reconnect(self) -> None:
        await self._cri.close()
        self._cri = CriClient(self.options.endpoint)

    async def monitored(self, pods: Sequence[StartedPod]) -> list[str]:
        ids = [identity for pod in pods for identity in pod.ids]
        return [*ids, *(await self._engine_ids(ids))] if self.options.below and ids else ids

    async def _engine_ids(self, names: Collection[str]) -> list[str]:
        """The ids of these containers in the Engine below, which its shims have in their command lines."""
        from podwright.bench.targets.docker_api import DockerApi  # noqa: PLC0415 # aiohttp is for Docker alone

        async with DockerApi(self.options.below) as engine:
            listed = await engine.call("GET", "/containers/json", query={"all": "1"})
        wanted = {f"/{name}" for name in names}
        return [one["Id"] for one in listed if wanted.intersection(one["Names"] or ())]

    async def sweep(self) -> None:
        await sweep_until_empty(self._our_sandboxes, self._discard)

    async def close(self) -> None:
        await self._cri.close()

    async def _our_sandboxes(self) -> list[str]:
        selector = api.PodSandboxFilter(label_selector={LABEL: self.run_id})
        request = api.ListPodSandboxRequest(filter=selector)
        return [pod.id for pod in (await self._cri.call(self._cri.runtime.ListPodSandbox, request)).items]

    async def _discard(self, sandbox_id: str) -> None:
        runtime = self._cri.runtime
        await self._cri.call(runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=sandbox_id))
        await self._cri.call(runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id))

    def _sandbox_config(self) -> api.PodSandboxConfig:
        """A pod like the kubelet's: its own network, a PID namespace per container."""
        self._made += 1
        name = f"bench-{self.run_id}-{self._made}"
        log_directory = f"{self._log_root}/{name}"
        os.makedirs(log_directory)
        config = api.PodSandboxConfig(
            metadata=api.PodSandboxMetadata(name=name, namespace=NAMESPACE, uid=name),
            hostname=name,
            log_directory=log_directory,
            labels={LABEL: self.run_id},
        )
        config.linux.cgroup_parent = self.options.cgroup_parent
        config.linux.security_context.namespace_options.pid = api.CONTAINER
        return config

    def _container_config(self, name: str, command: tuple[str, ...]) -> api.ContainerConfig:
        config = api.ContainerConfig(
            metadata=api.ContainerMetadata(name=name),
            image=api.ImageSpec(image=self._image, user_specified_image=self._image),
            command=command,
            labels={LABEL: self.run_id},
            log_path=f"{name}.log",
        )
        config.linux.security_context.namespace_options.pid = api.CONTAINER
        return config
