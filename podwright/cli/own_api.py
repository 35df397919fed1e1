"""Calls of services that only Podwright's daemon has. For other runtimes the failure says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc

from podwright.api import LISTENING
from podwright.cri.status import error_from
from podwright.cri.v1.api_pb2 import VersionRequest
from podwright.errors import Unimplemented

if TYPE_CHECKING:
    from podwright.cri.client import CriClient


async def call(cri: CriClient, method: Any, request: Any) -> Any:
    """One unary call without a time limit. Raises Unimplemented for another runtime."""
    try:
        return await cri.call(method, request, timeout_s=None)
    except Unimplemented as failure:
        raise await _explained(cri, failure) from failure


async def stream(cri: CriClient, method: Any, request: Any) -> AsyncGenerator[Any, None]:
    """One server-streaming call. Raises Unimplemented for another runtime."""
    try:
        async for response in cri.stream(method, request):
            yield response
    except Unimplemented as failure:
        raise await _explained(cri, failure) from failure


async def upload(cri: CriClient, method: Any, requests: AsyncIterator[Any]) -> Any:
    """One client-streaming call. Raises Unimplemented for another runtime, and what `requests` raises.

    It sends nothing before the server has announced that it listens.
    """
    failed: list[BaseException] = []

    async def watched() -> AsyncIterator[Any]:
        try:
            if LISTENING not in await upload_call.initial_metadata():
                await upload_call.code()
                return
            async for request in requests:
                yield request
        except Exception as failure:
            failed.append(failure)  # gRPC would only report that the call was cancelled
            raise

    upload_call = method(watched())
    try:
        return await upload_call
    except grpc.aio.AioRpcError as failure:
        if failed:
            raise failed[0] from failure
        error = error_from(failure)
        raise (await _explained(cri, error) if isinstance(error, Unimplemented) else error) from failure


async def _explained(cri: CriClient, failure: Unimplemented) -> Unimplemented:
    """Another runtime's failure with what it takes. Our own says that itself: a Docker Engine cannot do all."""
    if (await cri.call(cri.runtime.Version, VersionRequest())).runtime_name == "podwright":
        return failure
    return Unimplemented(
        f"the runtime behind {cri.endpoint} cannot do this: {failure.message}", hint="it needs podwright serve"
    )
