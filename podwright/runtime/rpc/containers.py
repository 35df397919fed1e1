"""Create, Start, Pause, Stop, Remove, Status, List of containers, ExecSync and ReopenContainerLog."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.engines.protocol import ContainerEngine
from podwright.runtime.rpc import convert_container
from podwright.runtime.rpc.convert_base import info
from podwright.runtime.rpc.lists import ListReplies


class ContainerRpcs:
    def __init__(
        self, containers: ContainerEngine, *, expect_start: Callable[[], None], expect_exec: Callable[[], None]
    ) -> None:
        """`expect_start` and `expect_exec` are called when a request shows that a start or an exec follows."""
        self._containers = containers
        self._expect_start = expect_start
        self._expect_exec = expect_exec
        self._lists = ListReplies(
            containers.visible,
            lambda: containers.generation,
            lambda container: api.ListContainersResponse(containers=[convert_container.item(container)]),
        )

    async def CreateContainer(self, request: api.CreateContainerRequest, _: Any) -> api.CreateContainerResponse:
        if not request.HasField("config"):
            raise InvalidArgument("config is missing")
        if not request.sandbox_config.HasField("metadata"):
            raise InvalidArgument("sandbox_config.metadata is missing")
        self._expect_start()
        config = convert_container.config(request.config)
        return api.CreateContainerResponse(container_id=await self._containers.create(request.pod_sandbox_id, config))

    async def StartContainer(self, request: api.StartContainerRequest, _: Any) -> api.StartContainerResponse:
        self._expect_start()
        await self._containers.start(request.container_id)
        return api.StartContainerResponse()

    async def StopContainer(self, request: api.StopContainerRequest, _: Any) -> api.StopContainerResponse:
        await self._containers.stop(request.container_id, request.timeout)
        return api.StopContainerResponse()

    async def RemoveContainer(self, request: api.RemoveContainerRequest, _: Any) -> api.RemoveContainerResponse:
        await self._containers.remove(request.container_id)
        return api.RemoveContainerResponse()

    async def ContainerStatus(self, request: api.ContainerStatusRequest, _: Any) -> api.ContainerStatusResponse:
        container = self._containers.get(request.container_id)
        verbose = info(self._containers.document(container)) if request.verbose else {}
        return api.ContainerStatusResponse(status=convert_container.status(container), info=verbose)

    async def ListContainers(self, request: api.ListContainersRequest, _: Any) -> bytes:
        return self._lists.reply(convert_container.matcher(request.filter))

    def StreamContainers(self, request: api.StreamContainersRequest, _: Any) -> AsyncGenerator[bytes, None]:
        return self._lists.batches(convert_container.matcher(request.filter))

    async def ExecSync(self, request: api.ExecSyncRequest, _: Any) -> api.ExecSyncResponse:
        if request.timeout < 0:
            raise InvalidArgument("timeout is negative")
        self._expect_exec()
        done = await self._containers.exec_sync(request.container_id, tuple(request.cmd), request.timeout)
        return api.ExecSyncResponse(stdout=done.stdout, stderr=done.stderr, exit_code=done.shell_code)

    async def PauseContainer(self, request: api.PauseContainerRequest, _: Any) -> api.PauseContainerResponse:
        await self._containers.pause(request.container_id)
        return api.PauseContainerResponse()

    async def UnpauseContainer(self, request: api.UnpauseContainerRequest, _: Any) -> api.UnpauseContainerResponse:
        await self._containers.unpause(request.container_id)
        return api.UnpauseContainerResponse()

    async def ReopenContainerLog(
        self, request: api.ReopenContainerLogRequest, _: Any
    ) -> api.ReopenContainerLogResponse:
        await self._containers.reopen_log(request.container_id)
        return api.ReopenContainerLogResponse()
