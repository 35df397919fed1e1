"""A small async CRI client: two generated stubs on one channel, deadlines, and our error tree.

Used by the agent, the CLI and the bench with any CRI server. It has no policy except deadlines.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import grpc

from podwright.cri.endpoint import normalise, socket_path
from podwright.cri.reaching import is_of_the_connection, why_unreachable
from podwright.cri.status import error_from
from podwright.cri.v1 import api_pb2_grpc
from podwright.errors import DeadlineExceeded, PodwrightError, Unavailable

if TYPE_CHECKING:
    from podwright.cri.v1.api_pb2_grpc import ImageServiceAsyncStub, RuntimeServiceAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")

# Enough for two ExecSync streams of 16 MiB each and their frame.
MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
OWN_DEADLINE = "Deadline Exceeded"  # gRPC's words when the client's deadline passes
DEFAULT_TIMEOUT_S = 120.0  # the kubelet's --runtime-request-timeout
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    # gRPC derives :authority from the socket path otherwise, which Go's HTTP/2 server refuses as malformed.
    ("grpc.default_authority", "localhost"),
    # Otherwise a new client shares the connection of older ones, and their pause before the next try after a restart.
    ("grpc.use_local_subchannel_pool", 1),
    # A server that was away for long is found again at once: gRPC's pauses grow to two minutes, the kubelet's to 3 s.
    # min_reconnect_backoff_ms stays at gRPC's 20 s: it is no pause, but the time that an attempt to connect may take.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class CriClient:
    """One connection to a CRI endpoint. Use as an async context manager.

    async with CriClient("unix:///run/podwright/podwright.sock") as cri:
        version = await cri.call(cri.runtime.Version, api.VersionRequest())
    """

    runtime: RuntimeServiceAsyncStub
    images: ImageServiceAsyncStub

    def __init__(self, endpoint: str) -> None:
        """Connects on first use. Raises InvalidArgument if the endpoint is not a unix socket."""
        self.endpoint = normalise(endpoint)
        self.channel = grpc.aio.insecure_channel(self.endpoint, options=CHANNEL_OPTIONS)
        self.runtime = api_pb2_grpc.RuntimeServiceStub(self.channel)
        self.images = api_pb2_grpc.ImageServiceStub(self.channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel and cancel calls in flight."""
        await self.channel.close()

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
    ) -> Response:
        """One unary call. Raises a PodwrightError for every failure.

        `timeout_s` None means no deadline (PullImage).
        """
        try:
            return await method(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as failure:
            raise self._error_from(failure) from failure

    async def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        timeout_s: float | None = None,
        *,
        begun: asyncio.Event | None = None,
    ) -> AsyncIterator[Response]:
        """One server-streaming call. Raises a PodwrightError for every failure.

        `begun` is set when the server has accepted the call, for servers that announce it before the first response.
        """
        call: Any = method(request, timeout=timeout_s)
        try:
            if begun is not None:
                await call.initial_metadata()
                begun.set()
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as failure:
            raise self._error_from(failure) from failure
        finally:
            with contextlib.suppress(Exception):
                call.cancel()

    def _error_from(self, failure: grpc.aio.AioRpcError) -> PodwrightError:
        """The failure of a call. If there is no connection, it says why in words of ours instead of gRPC's."""
        error = error_from(failure)
        if isinstance(error, DeadlineExceeded) and error.message == OWN_DEADLINE:
            return DeadlineExceeded(
                f"the process that listens on {socket_path(self.endpoint)} gives no answer in time"
            )
        if not isinstance(error, Unavailable) or not is_of_the_connection(error.message):
            return error
        if self.channel.get_state() is grpc.ChannelConnectivity.READY:
            return error
        reason = why_unreachable(self.endpoint)
        if reason is not None:
            return Unavailable(reason.message, hint=reason.hint)
        if self.channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            path = socket_path(self.endpoint)
            said = error.message.rpartition(f"{path}: ")[2]
            return Unavailable(_no_answer(path, said))
        return error


def _no_answer(path: str, said: str) -> str:
    """Why a socket on which a process listens gives no answer. `said` is gRPC's reason of the last try."""
    if said.startswith("connect failed"):  # the process has begun to listen since then
        return f"no process listened on {path} at the last try to connect"
    if said.startswith("connection attempt timed out"):
        return f"the process that listens on {path} does not answer: it is stopped, or hangs"
    return f"the process that listens on {path} does not speak gRPC: {said}"
