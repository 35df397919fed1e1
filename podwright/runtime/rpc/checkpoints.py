"""CheckpointContainer, CheckpointPod and RestorePod."""

from __future__ import annotations

from typing import Any

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.engines.protocol import CheckpointEngine, RestoreEngine
from podwright.runtime.rpc import convert_container, convert_sandbox


class CheckpointRpcs:
    def __init__(self, checkpoints: CheckpointEngine, restores: RestoreEngine) -> None:
        self._checkpoints = checkpoints
        self._restores = restores

    async def CheckpointContainer(
        self, request: api.CheckpointContainerRequest, _: Any
    ) -> api.CheckpointContainerResponse:
        await self._checkpoints.container(request.container_id, request.location, request.timeout)
        return api.CheckpointContainerResponse()

    async def CheckpointPod(self, request: api.CheckpointPodRequest, context: Any) -> api.CheckpointPodResponse:
        await self._checkpoints.pod(
            request.pod_sandbox_id,
            request.output_path,
            request.container_ids,
            dict(request.options),
            _remaining_s(context),
        )
        return api.CheckpointPodResponse()

    async def RestorePod(self, request: api.RestorePodRequest, context: Any) -> api.RestorePodResponse:
        if not request.HasField("config"):
            raise InvalidArgument("config is missing")
        sandbox_id, made = await self._restores.pod(
            request.checkpoint_path,
            convert_sandbox.config(request.config),
            request.runtime_handler,
            [convert_container.config(each) for each in request.container_configs],
            dict(request.options),
            _remaining_s(context),
        )
        restored = [api.RestoredContainer(name=name, container_id=container_id) for name, container_id in made.items()]
        return api.RestorePodResponse(pod_sandbox_id=sandbox_id, restored_containers=restored)


def _remaining_s(context: Any) -> float:
    """The time left until the caller's deadline. Raises InvalidArgument without one: CRI requires it for pods."""
    remaining = context.time_remaining()
    if remaining is None:
        raise InvalidArgument(
            "the call has no deadline", hint="set one: the pod is paused until the checkpoint is written"
        )
    return float(remaining)
