"""`ApiServer` over HTTP: rate limit, deadline, repetition when the server asks for it, typed answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from functools import cache
from typing import Any, TypeVar

import msgspec

from podwright.errors import DeadlineExceeded, InvalidArgument
from podwright.k8s.client import requests
from podwright.k8s.client.changes import WatchLines, read_change
from podwright.k8s.client.failures import ApiFailure, Garbled, read_failure
from podwright.k8s.client.limiter import TokenBucket
from podwright.k8s.client.patch import Patch
from podwright.k8s.client.protocol import (
    AS_USUAL,
    CALL_TIMEOUT_S,
    EVERYWHERE,
    FROM_NOW,
    WHOLE,
    Change,
    Page,
    Paging,
    RawRequest,
    Selection,
    Watching,
)
from podwright.k8s.client.requests import ApiRequest, object_place
from podwright.k8s.client.transport import HttpAnswer, Transport
from podwright.k8s.codec import decode
from podwright.k8s.objects import DeleteOptions, ListMeta
from podwright.k8s.objects.base import ApiList, Kind

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Kind)

# The kubelet's kubeAPIQPS and kubeAPIBurst.
CALLS_PER_S = 50.0
CALLS_BURST = 100
# Each call that is under way has a connection, whose TLS handshake costs more than a call. Go's client has HTTP/2.
CALLS_AT_ONCE = 8
# Codes of a server that has not begun the request. After a 504 it may have.
REFUSED = (429, 503)


class ApiClient:
    """See `ApiServer`. Clients may share a transport, each with a limit of its own, as heartbeats need it."""

    def __init__(self, transport: Transport, *, rate: float = CALLS_PER_S, burst: int = CALLS_BURST) -> None:
        self._transport = transport
        self._bucket = TokenBucket(rate=rate, burst=burst)
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)

    async def get(self, kind: type[K], name: str, *, namespace: str = "", timeout_s: float = CALL_TIMEOUT_S) -> K:
        """As `ApiServer..get`."""
        return await self._typed(requests.get(object_place(kind, name, namespace)), kind, timeout_s)

    async def list(
        self,
        kind: type[K],
        selection: Selection = EVERYWHERE,
        paging: Paging = WHOLE,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Page[K]:
        """As `ApiServer..list`."""
        request = requests.list_page(kind, selection, paging)
        page = await self._typed(request, _list_of(kind), timeout_s)
        metadata: ListMeta = page.metadata
        return Page(items=page.items, resource_version=metadata.resource_version, more=metadata.continue_)

    @contextlib.asynccontextmanager
    async def watch(
        self,
        kind: type[K],
        selection: Selection = EVERYWHERE,
        watching: Watching = FROM_NOW,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> AsyncIterator[AsyncIterator[Change[K]]]:
        """As `ApiServer..watch`."""
        request = requests.watch(kind, selection, watching)
        deadline = asyncio.get_running_loop().time() + timeout_s
        async with contextlib.AsyncExitStack() as stack:
            try:
                await self._admitted(request, deadline)
                open_s = deadline - asyncio.get_running_loop().time()
                stream = self._transport.stream(request, open_s=open_s, idle_s=watching.idle_s)
                pieces = await stack.enter_async_context(stream)
            except TimeoutError as late:
                raise _too_late(request.what, timeout_s) from late
            yield _changes(pieces, kind, request.what)

    async def create(self, obj: K, *, timeout_s: float = CALL_TIMEOUT_S) -> K:
        """As `ApiServer..create`."""
        return await self._typed(requests.create(obj), type(obj), timeout_s)

    async def create_subresource(
        self,
        owner: type[Kind],
        name: str,
        subresource: str,
        body: K,
        *,
        namespace: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> K:
        """As `ApiServer..create_subresource`."""
        place = object_place(owner, name, namespace, subresource)
        return await self._typed(requests.create_subresource(place, body), type(body), timeout_s)

    async def update(self, obj: K, *, subresource: str = "", timeout_s: float = CALL_TIMEOUT_S) -> K:
        """As `ApiServer..update`."""
        return await self._typed(requests.update(obj, subresource), type(obj), timeout_s)

    async def patch(
        self,
        kind: type[K],
        name: str,
        patch: Patch,
        *,
        namespace: str = "",
        subresource: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> K:
        """As `ApiServer..patch`."""
        place = object_place(kind, name, namespace, subresource)
        return await self._typed(requests.patch(place, patch), kind, timeout_s)

    async def delete(
        self,
        kind: type[Kind],
        name: str,
        *,
        namespace: str = "",
        options: DeleteOptions = AS_USUAL,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """As `ApiServer..delete`."""
        await self._call(requests.delete(object_place(kind, name, namespace), options), timeout_s)

    async def raw(self, request: RawRequest, *, timeout_s: float = CALL_TIMEOUT_S) -> bytes:
        """As `ApiServer..raw`."""
        return await self._call(requests.raw(request), timeout_s)

    async def _typed(self, request: ApiRequest, cls: type[K], timeout_s: float) -> K:
        """An answer must say its kind: `{}`, as a proxy may answer, would be a list of nothing."""
        body = await self._call(request, timeout_s)
        try:
            answer = decode(body, cls)
        except (InvalidArgument, msgspec.DecodeError) as failure:
            raise Garbled(f"cannot {request.what}: the answer is invalid: {failure}") from failure
        if answer.kind != cls.__name__:
            raise Garbled(f"cannot {request.what}: the answer is of kind {answer.kind!r}, not {cls.__name__}")
        return answer

    async def _call(self, request: ApiRequest, timeout_s: float) -> bytes:
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                await self._admitted(request, deadline)
                return await self._insisted(request, deadline)
        except TimeoutError as late:
            raise _too_late(request.what, timeout_s) from late

    async def _insisted(self, request: ApiRequest, deadline: float) -> bytes:
        """Repeated as the server asks for it, while there is time."""
        while True:
            async with self._slots:
                answer = await self._transport.send(request)
            if 200 <= answer.code < 300:
                return answer.body
            failure = _failure(answer, request.what)
            wait_s = _asked_wait_s(answer, failure)
            if not wait_s or asyncio.get_running_loop().time() + wait_s >= deadline:
                raise failure
            log.debug("the API server asks to wait: what=%s seconds=%g", request.what, wait_s)
            self._transport.listener.repeated(self._transport.host, request.method, str(answer.code))
            await asyncio.sleep(wait_s)

    async def _admitted(self, request: ApiRequest, deadline: float) -> None:
        now = asyncio.get_running_loop().time()
        wait_s = self._bucket.reserve(now, deadline - now)
        if wait_s is None:
            raise DeadlineExceeded(
                f"cannot {request.what}: so many calls are waiting that its turn comes after its deadline"
            )
        if wait_s:
            await asyncio.sleep(wait_s)
        self._transport.listener.waited(self._transport.host, request.method, wait_s)


async def _changes(pieces: AsyncIterator[bytes], kind: type[K], what: str) -> AsyncIterator[Change[K]]:
    lines = WatchLines()
    async for piece in pieces:
        for line in lines.feed(piece):
            yield read_change(line, kind, what)
    if rest := lines.rest():
        yield read_change(rest, kind, what)


def _failure(answer: HttpAnswer, what: str) -> Exception:
    if answer.code < 400:
        return Garbled(f"cannot {what}: the server answers with HTTP {answer.code}")
    return read_failure(answer.code, answer.body, what, retry_after=answer.retry_after)


def _asked_wait_s(answer: HttpAnswer, failure: Exception) -> float:
    """How long the server wants us to wait before the same request. 0 when it must not be sent again by itself."""
    if answer.code in REFUSED and answer.retry_after and isinstance(failure, ApiFailure):
        return failure.retry_after_s
    return 0.0


def _too_late(what: str, timeout_s: float) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"cannot {what}: no answer within {timeout_s:g} s", hint="is the API server overloaded, or unreachable?"
    )


@cache
def _list_of(kind: type[Kind]) -> Any:
    """The type of a page, also for kinds whose list type is not generated."""
    return msgspec.defstruct(
        f"{kind.__name__}List",
        [("items", tuple[kind, ...], ()), ("metadata", ListMeta, ListMeta())],  # type: ignore[valid-type]
        bases=(ApiList,),
        frozen=True,
        kw_only=True,
    )
