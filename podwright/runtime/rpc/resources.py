"""UpdateContainerResources and UpdatePodSandboxResources."""

from __future__ import annotations

from typing import Any

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.engines.protocol import ContainerEngine, SandboxEngine
from podwright.runtime.rpc import convert_base


class ResourceRpcs:
    def __init__(self, containers: ContainerEngine, sandboxes: SandboxEngine) -> None:
        self._containers = containers
        self._sandboxes = sandboxes

    async def UpdateContainerResources(
        self, request: api.UpdateContainerResourcesRequest, _: Any
    ) -> api.UpdateContainerResourcesResponse:
        container = self._containers.get(request.container_id)
        if not request.HasField("linux"):
            raise InvalidArgument("linux is missing")
        convert_base.refuse_windows(request, "resources")
        await self._containers.update(container.id, convert_base.resources(request.linux))
        return api.UpdateContainerResourcesResponse()

    async def UpdatePodSandboxResources(
        self, request: api.UpdatePodSandboxResourcesRequest, _: Any
    ) -> api.UpdatePodSandboxResourcesResponse:
        overhead = convert_base.resources(request.overhead) if request.HasField("overhead") else None
        pod = convert_base.resources(request.resources) if request.HasField("resources") else None
        await self._sandboxes.note_resources(request.pod_sandbox_id, overhead=overhead, resources=pod)
        return api.UpdatePodSandboxResourcesResponse()
