"""Sockets on which the agent serves gRPC to the node's plug-ins and monitors."""

from __future__ import annotations

import contextlib
import os

import grpc

from podwright.agent.plugins.connection import MESSAGE_LIMIT_BYTES
from podwright.cri.endpoint import normalise
from podwright.errors import FailedPrecondition
from podwright.linux.directories import ensure_directory

FOLDER_MODE, SOCKET_MODE = 0o750, 0o600
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.so_reuseport", 0),
)


def new_server() -> grpc.aio.Server:
    """A server that neither serves nor listens yet."""
    return grpc.aio.server(options=OPTIONS)


async def listen(server: grpc.aio.Server, path: str) -> None:
    """Serve at the socket, for root alone. One that is there is replaced: it is an earlier agent's.

    Raises PodwrightError and OSError.
    """
    endpoint = normalise(path)
    ensure_directory(os.path.dirname(path), FOLDER_MODE)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    try:
        server.add_insecure_port(endpoint)
    except RuntimeError as failure:
        raise FailedPrecondition(f"cannot listen on {path}: {failure}") from failure
    os.chmod(path, SOCKET_MODE)
    await server.start()


async def close(server: grpc.aio.Server, path: str) -> None:
    """Stop serving, and remove the socket."""
    await server.stop(None)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
