"""Events of shims: `containerd.services.events.ttrpc.v1.Events/Forward` on a socket of the daemon's.

Only two events matter: a memory kill, and the end of a container as a second source beside the Wait call. All others
are answered and dropped. A shim that sends too many is read no faster than it is answered.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from google.protobuf.message import DecodeError

from podwright.errors import InvalidArgument
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.ttrpc import Server

log = logging.getLogger(__name__)

SERVICE, METHOD = "containerd.services.events.ttrpc.v1.Events", "Forward"
OOM, EXIT = "/tasks/oom", "/tasks/exit"


class ShimListener(Protocol):
    """A container that events are about."""

    def note_oom(self) -> None:
        """The kernel killed one of its processes for memory."""

    def note_exit(self, end: pb.TaskExit) -> None:
        """Its first process has ended."""


class Events:
    """Passes events to the containers that they are about."""

    def __init__(self) -> None:
        self.listeners: dict[str, ShimListener] = {}  # by container
        self._server = Server({(SERVICE, METHOD): self._forward})

    async def listen(self, path: str) -> None:
        """Serve at `path`. Raises OSError."""
        await self._server.listen(path)

    async def _forward(self, payload: bytes, _: Mapping[str, str]) -> bytes:
        try:
            envelope = pb.ForwardRequest.FromString(payload).envelope
            if envelope.topic == OOM:
                event = pb.TaskEvent.FromString(envelope.event.value)
                if (listener := self.listeners.get(event.container_id)) is not None:
                    listener.note_oom()
            elif envelope.topic == EXIT:
                end = pb.TaskExit.FromString(envelope.event.value)
                listener = self.listeners.get(end.container_id)
                if listener is not None and end.id in ("", end.container_id):  # else an exec's
                    listener.note_exit(end)
        except DecodeError as broken:
            raise InvalidArgument("the event cannot be read") from broken
        return b""

    async def close(self) -> None:
        """Stop listening."""
        await self._server.close()
