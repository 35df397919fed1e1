"""Sockets on which the agent serves gRPC to the node's plug-ins and monitors."""

from __future__ import annotations

import os
from collections.abc import Callable

import grpc

from podwright.agent.plugins.connection import MESSAGE_LIMIT_BYTES
from podwright.cri.endpoint import normalise
from podwright.errors import FailedPrecondition
from podwright.linux.directories import ensure_directory
from podwright.linux.files import remove_file

FOLDER_MODE, SOCKET_MODE = 0o750, 0o600
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.so_reuseport", 0),
)


class ServedSocket:
    """A socket and the server on it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._server: grpc.aio.Server | None = None

    async def start(self, *services: Callable[[grpc.aio.Server], None]) -> None:
        """Serve at the socket, for root only. Each of `services` adds a service to the server.

        Replaces an existing socket, which is an earlier agent's. Raises PodwrightError and OSError.
        """
        self._server = grpc.aio.server(options=OPTIONS)
        for add_to in services:
            add_to(self._server)
        endpoint = normalise(self.path)
        ensure_directory(os.path.dirname(self.path), FOLDER_MODE)
        remove_file(self.path)
        try:
            self._server.add_insecure_port(endpoint)
        except RuntimeError as failure:
            raise FailedPrecondition(f"cannot listen on {self.path}: {failure}") from failure
        os.chmod(self.path, SOCKET_MODE)
        await self._server.start()

    async def close(self) -> None:
        """Stop serving, and remove the socket. Calls in flight end. Without a start, nothing happens."""
        if self._server is not None:
            await self._server.stop(None)
            remove_file(self.path)
