"""WatchPulls, an RPC of our own for clients that wait for an image."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from podwright.api.v1 import pulls_pb2 as api
from podwright.runtime.engines.protocol import ImageEngine
from podwright.runtime.model.image_store import PullSnapshot, PullStage

STAGES = {
    PullStage.RESOLVING: api.RESOLVING,
    PullStage.DOWNLOADING: api.DOWNLOADING,
    PullStage.UNPACKING: api.UNPACKING,
    PullStage.DONE: api.DONE,
    PullStage.FAILED: api.FAILED,
}


class PullRpcs:
    def __init__(self, images: ImageEngine) -> None:
        self._images = images

    async def WatchPulls(self, request: api.WatchPullsRequest, _: Any) -> AsyncGenerator[api.WatchPullsResponse, None]:
        async with contextlib.aclosing(self._images.watch_pulls(request.image)) as looks:
            async for pulls in looks:
                yield api.WatchPullsResponse(pulls=[_message(pull) for pull in pulls])


def _message(pull: PullSnapshot) -> api.PullProgress:
    return api.PullProgress(
        reference=pull.reference,
        stage=STAGES[pull.stage],
        layers=[
            api.LayerProgress(
                digest=layer.digest,
                done_bytes=layer.done_bytes,
                total_bytes=layer.total_bytes,
                unpacked=layer.unpacked,
            )
            for layer in pull.layers
        ],
        began_at=pull.began_at,
        error=pull.error,
    )
