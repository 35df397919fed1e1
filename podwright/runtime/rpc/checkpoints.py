"""CheckpointContainer, CheckpointPod and RestorePod."""

from __future__ import annotations

from typing import Any

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, Unimplemented
from podwright.runtime.checkpoint.service import CheckpointService


class CheckpointRpcs:
    """The family."""

    def __init__(self, checkpoints: CheckpointService) -> None:
        self._checkpoints = checkpoints

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

    async def RestorePod(self, _request: api.RestorePodRequest, _: Any) -> api.RestorePodResponse:
        raise Unimplemented(
            "RestorePod: Podwright writes checkpoints, but does not start pods from them",
            hint="the archives are those that CRI-O restores from",
        )


def _remaining_s(context: Any) -> float:
    """Until the caller's deadline, which CRI wants for pods. Raises InvalidArgument."""
    remaining = context.time_remaining()
    if remaining is None:
        raise InvalidArgument("the call has no deadline", hint="set one: the pod stands still until it is done")
    return float(remaining)
