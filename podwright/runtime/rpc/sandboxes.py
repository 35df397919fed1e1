"""Run, Start, Stop, Remove, Status and List of pod sandboxes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.engines.protocol import ContainerEngine, PodEngine, SandboxEngine
from podwright.runtime.rpc import convert_container, convert_sandbox
from podwright.runtime.rpc.convert_base import info
from podwright.runtime.rpc.lists import ListReplies


class SandboxRpcs:
    def __init__(
        self,
        sandboxes: SandboxEngine,
        pods: PodEngine,
        containers: ContainerEngine,
        expect_start: Callable[[], None],
    ) -> None:
        """`expect_start` is called when a request shows that a container will start soon."""
        self._sandboxes = sandboxes
        self._pods = pods
        self._containers = containers
        self._expect_start = expect_start
        self._lists = ListReplies(
            sandboxes.visible,
            lambda: sandboxes.generation,
            lambda sandbox: api.ListPodSandboxResponse(items=[convert_sandbox.item(sandbox)]),
        )

    async def RunPodSandbox(self, request: api.RunPodSandboxRequest, _: Any) -> api.RunPodSandboxResponse:
        if not request.HasField("config"):
            raise InvalidArgument("config is missing")
        self._expect_start()
        config = convert_sandbox.config(request.config)
        return api.RunPodSandboxResponse(pod_sandbox_id=await self._sandboxes.run(config, request.runtime_handler))

    async def StartPodSandbox(self, request: api.StartPodSandboxRequest, _: Any) -> api.StartPodSandboxResponse:
        await self._pods.start(request.pod_sandbox_id)
        return api.StartPodSandboxResponse()

    async def StopPodSandbox(self, request: api.StopPodSandboxRequest, _: Any) -> api.StopPodSandboxResponse:
        await self._pods.stop(request.pod_sandbox_id)
        return api.StopPodSandboxResponse()

    async def RemovePodSandbox(self, request: api.RemovePodSandboxRequest, _: Any) -> api.RemovePodSandboxResponse:
        await self._pods.remove(request.pod_sandbox_id)
        return api.RemovePodSandboxResponse()

    async def PodSandboxStatus(self, request: api.PodSandboxStatusRequest, _: Any) -> api.PodSandboxStatusResponse:
        sandbox = self._sandboxes.get(request.pod_sandbox_id)
        return api.PodSandboxStatusResponse(
            status=convert_sandbox.status(sandbox),
            info=info(self._sandboxes.document(sandbox)) if request.verbose else {},
            containers_statuses=convert_container.statuses(self._containers.in_sandbox(sandbox.id)),
            timestamp=self._sandboxes.now(),  # clients compare it with the time of events about the pod
        )

    async def ListPodSandbox(self, request: api.ListPodSandboxRequest, _: Any) -> bytes:
        return self._lists.reply(convert_sandbox.matcher(request.filter))

    def StreamPodSandboxes(self, request: api.StreamPodSandboxesRequest, _: Any) -> AsyncGenerator[bytes, None]:
        return self._lists.batches(convert_sandbox.matcher(request.filter))
