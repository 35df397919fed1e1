"""A connection to a plug-in's socket: calls with deadlines, and our error tree."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

import grpc

from podwright.cri.endpoint import UNIX_PATH_MAX
from podwright.cri.status import error_from
from podwright.errors import DeadlineExceeded, InvalidArgument, Unavailable

Request = TypeVar("Request")
Response = TypeVar("Response")

MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024
CONNECT_TIMEOUT_S = 10.0
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.default_authority", "localhost"),  # Go's server rejects a socket's path as the authority
    ("grpc.use_local_subchannel_pool", 1),  # do not inherit the pause of an earlier connection
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
)


class PluginChannel:
    """A channel to a socket. It connects at the first use, and again after the plug-in has restarted."""

    def __init__(self, path: str) -> None:
        """Raises InvalidArgument for what cannot be a socket's path."""
        self.check(path)
        self.path = path
        self.channel = grpc.aio.insecure_channel(f"unix://{path}", options=OPTIONS)

    @staticmethod
    def check(path: str) -> None:
        """Raises InvalidArgument for what cannot be a socket's path."""
        if not path.startswith("/") or len(os.fsencode(path)) > UNIX_PATH_MAX:
            raise InvalidArgument(f"{path!r} is not the path of a socket", hint="it is absolute and 107 bytes at most")

    async def ready(self, timeout_s: float | None = None) -> None:
        """Wait for the connection, by default CONNECT_TIMEOUT_S. Raises DeadlineExceeded."""
        timeout_s = CONNECT_TIMEOUT_S if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self.channel.channel_ready()
        except TimeoutError as failure:
            raise DeadlineExceeded(f"nobody answers at the socket {self.path} within {timeout_s:g} s") from failure

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout_s: float,
    ) -> Response:
        """One unary call. Raises a PodwrightError for every failure."""
        with self._errors():
            return await method(request, timeout=timeout_s)

    async def stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[Request, Response], request: Request
    ) -> AsyncIterator[Response]:
        """One server-streaming call, without a deadline. Raises a PodwrightError for every failure."""
        with self._errors():
            call: Any = method(request)
            try:
                async for response in call:
                    yield response
            finally:
                with contextlib.suppress(Exception):
                    call.cancel()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise the errors of grpc as ours.

        A call whose channel is closed raises CancelledError there: whoever waits for it was not cancelled, and must
        not end as if it had been.
        """
        try:
            yield
        except grpc.aio.AioRpcError as failure:
            raise error_from(failure) from failure
        except grpc.aio.UsageError as failure:
            raise Unavailable(f"the connection to the socket {self.path} is closed") from failure
        except asyncio.CancelledError as failure:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise Unavailable(f"the connection to the socket {self.path} was closed during a call") from failure

    async def close(self) -> None:
        """Close the channel. Calls in flight raise Unavailable."""
        await self.channel.close()
