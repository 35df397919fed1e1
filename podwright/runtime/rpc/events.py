"""GetContainerEvents, which a kubelet with evented PLEG subscribes to."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator
from typing import Any

from podwright.cri.v1 import api_pb2 as api
from podwright.runtime.engines.protocol import EventEngine
from podwright.runtime.events import ContainerEvent
from podwright.runtime.rpc import convert_container, convert_sandbox

LATEST = 64  # events kept in encoded form, for subscribers at about the same position


class EventRpcs:
    def __init__(self, hub: EventEngine) -> None:
        self._hub = hub

    async def GetContainerEvents(self, _request: api.GetEventsRequest, context: Any) -> AsyncGenerator[bytes, None]:
        with self._hub.subscribe() as events:
            await context.send_initial_metadata(())  # from here on the client misses no event
            async for event in events:
                yield encoded(event)


@functools.lru_cache(maxsize=LATEST)
def encoded(event: ContainerEvent) -> bytes:
    """CRI's ContainerEventResponse. It is encoded once, when the first subscriber gets it."""
    message = api.ContainerEventResponse(
        container_id=event.subject,
        container_event_type=int(event.kind),  # type: ignore[arg-type] # enums are numbers on the wire
        created_at=event.at,
        pod_sandbox_status=convert_sandbox.status(event.sandbox),
        containers_statuses=convert_container.statuses(event.containers),
    )
    return message.SerializeToString()
