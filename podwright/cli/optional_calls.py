"""CRI calls that older runtimes lack: the failure explains that instead of naming a gRPC method."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar

from podwright.errors import Unimplemented

if TYPE_CHECKING:
    import grpc

    from podwright.cri.client import CriClient

Request = TypeVar("Request")
Response = TypeVar("Response")


async def call(
    cri: CriClient, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, what: str
) -> Response:
    """One unary call. `what` describes it. Raises a PodwrightError."""
    try:
        return await cri.call(method, request)
    except Unimplemented as failure:
        raise _lacking(cri, what, failure) from failure


async def stream(
    cri: CriClient, method: grpc.aio.UnaryStreamMultiCallable[Request, Response], request: Request, what: str
) -> AsyncIterator[Response]:
    """One server-streaming call, until the server ends it. Raises a PodwrightError."""
    try:
        async for response in cri.stream(method, request):
            yield response
    except Unimplemented as failure:
        raise _lacking(cri, what, failure) from failure


def _lacking(cri: CriClient, what: str, failure: Unimplemented) -> Unimplemented:
    return Unimplemented(f"the runtime behind {cri.endpoint} cannot {what}: {failure.message}")
