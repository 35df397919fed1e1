"""What surrounds every RPC: the readiness check, a request id for the logs, and gRPC codes for errors.

No other module does this.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import errno
import functools
import itertools
import logging
import operator
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, NoReturn

import grpc

from podwright.cri.status import code_of
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Internal, PodwrightError, ResourceExhausted, Unavailable, Unimplemented
from podwright.timeline import Timeline

log = logging.getLogger(__name__)

Method = Callable[[Any, Any], Awaitable[Any]]
StreamMethod = Callable[[Any, Any], AsyncGenerator[Any, None]]

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="-")

IDS = ("pod_sandbox_id", "container_id")  # fields of requests and responses
DETAILS_LIMIT = 4096  # HTTP/2 carries the message in a header, and peers limit headers


class Edge:
    """Wraps the methods of the RPC families."""

    def __init__(self, timeline: Timeline) -> None:
        self.ready = False  # until recovery is done, everything answers UNAVAILABLE
        self._timeline = timeline
        self._numbers = itertools.count(1)

    def wrap(self, name: str, method: Method) -> Method:
        """The method in the form that gRPC calls."""

        async def wrapped(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            began = self._begin(name)
            try:
                self._admit(request)
                with self._timeline.call(name) as call:
                    call.ids, call.name_path = ids_of(request), name_path_of(request)
                    response = await method(request, context)
                    call.ids += ids_of(response)
            except asyncio.CancelledError:
                log.debug("rpc cancelled: rpc=%s", name)
                raise
            except Exception as failure:  # noqa: BLE001 # the edge: everything becomes a status here
                await self._abort(name, failure, context)
            log.debug("rpc: rpc=%s ms=%.1f", name, (time.perf_counter() - began) * 1e3)
            return response

        return wrapped

    def wrap_stream(self, name: str, method: StreamMethod) -> StreamMethod:
        """The server-streaming method in the form that gRPC calls."""

        async def wrapped(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncGenerator[Any, None]:
            began = self._begin(name)
            try:
                self._admit(request)
                async with contextlib.aclosing(method(request, context)) as responses:
                    async for response in responses:
                        yield response
            except (asyncio.CancelledError, GeneratorExit):  # GeneratorExit: the client left during a write
                log.debug("rpc cancelled: rpc=%s", name)
                raise
            except Exception as failure:  # noqa: BLE001 # as above
                await self._abort(name, failure, context)
            log.debug("rpc: rpc=%s ms=%.1f", name, (time.perf_counter() - began) * 1e3)

        return wrapped

    def _begin(self, name: str) -> float:
        request_id.set(f"{name}-{next(self._numbers)}")
        return time.perf_counter()

    def _admit(self, request: Any) -> None:
        if not self.ready:
            raise Unavailable("the runtime is starting", hint="try again in a moment")
        if isinstance(request, PodwrightError):  # the request could not be decoded
            raise request

    @staticmethod
    def unimplemented(name: str) -> Method:
        """The method for an RPC that has no implementation."""

        async def refuse(_request: Any, _context: Any) -> Any:
            raise Unimplemented(f"{name} is not implemented")

        return refuse

    @staticmethod
    def unimplemented_stream(name: str) -> StreamMethod:
        """The method for a server-streaming RPC that has no implementation."""

        async def refuse(_request: Any, _context: Any) -> AsyncGenerator[Any, None]:
            raise Unimplemented(f"{name} is not implemented")
            yield  # type: ignore[unreachable] # makes it a generator

        return refuse

    @staticmethod
    async def _abort(name: str, failure: Exception, context: grpc.aio.ServicerContext[Any, Any]) -> NoReturn:
        """Answer with the failure's code. Only unforeseen failures are logged with a traceback."""
        error = translate(failure)
        if isinstance(error, Internal):
            unforeseen = None if isinstance(failure, PodwrightError) else failure
            log.error("rpc failed: rpc=%s error=%s", name, error, exc_info=unforeseen)
        else:
            log.info("rpc refused: rpc=%s code=%s error=%s", name, code_of(error).name, error)
        await context.abort(code_of(error), str(error)[:DETAILS_LIMIT])


def ids_of(message: Any) -> tuple[str, ...]:
    """The ids in a request or a response, for the timeline."""
    return tuple(one for get in _id_getters(message.__class__) if (one := get(message)))


def name_path_of(message: Any) -> str:
    """`namespace/pod` or `namespace/pod/container` of a request that makes one, for the timeline. Otherwise empty."""
    if isinstance(message, api.RunPodSandboxRequest):
        return f"{message.config.metadata.namespace}/{message.config.metadata.name}"
    if isinstance(message, api.CreateContainerRequest):
        pod = message.sandbox_config.metadata
        return f"{pod.namespace}/{pod.name}/{message.config.metadata.name}"
    return ""


@functools.cache
def _id_getters(kind: type) -> tuple[Callable[[Any], str], ...]:
    descriptor = getattr(kind, "DESCRIPTOR", None)  # an encoded reply (bytes) has none
    fields = descriptor.fields_by_name if descriptor is not None else {}
    found = [name for name in IDS if name in fields]
    if "image" in fields and fields["image"].message_type is api.ImageSpec.DESCRIPTOR:
        found.append("image.image")
    return tuple(operator.attrgetter(name) for name in found)


def translate(failure: Exception) -> PodwrightError:
    """The failure as an error of our tree. An unforeseen failure becomes Internal, without its details."""
    if isinstance(failure, PodwrightError):
        return failure
    if isinstance(failure, OSError):
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            return ResourceExhausted(
                f"no space left for {failure.filename or 'the runtime'}", hint="free some disk space"
            )
        return Internal(f"{failure.filename or 'the host'}: {failure.strerror or failure}")
    return Internal(f"internal error in {request_id.get()}", hint="the daemon's log has the details")
