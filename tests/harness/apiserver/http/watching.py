"""Watches as streams: the initial events, changes, bookmarks, and what faults make of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from podwright.k8s.client.changes import INITIAL_END
from tests.harness.apiserver.api import Api, Target, resource_key
from tests.harness.apiserver.documents import Document, Filter
from tests.harness.apiserver.failures import ApiError, expired, invalid
from tests.harness.apiserver.faults import Ailment, Fault

DEFAULT_LIFETIME_S = 1800.0
FOREVER_S = 3600.0
_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The parameters of a watch."""

    version: str
    bookmarks: bool
    initial: bool
    lifetime_s: float


def read_wish(query: Any, *, streaming_lists: bool) -> Wish:
    """Read the parameters from a request's query. Raises ApiError as the API server's validation does."""
    initial = query.get("sendInitialEvents") == "true"
    match = query.get("resourceVersionMatch", "")
    if "sendInitialEvents" in query and not streaming_lists:
        message = "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
        raise invalid("ListOptions", "", "sendInitialEvents", message)
    if initial and match != "NotOlderThan":
        raise invalid("ListOptions", "", "resourceVersionMatch", "Forbidden: sendInitialEvents requires NotOlderThan")
    if match and not initial:
        raise invalid("ListOptions", "", "resourceVersionMatch", "Forbidden: forbidden for watch")
    return Wish(
        version=query.get("resourceVersion", ""),
        bookmarks=query.get("allowWatchBookmarks") == "true",
        initial=initial,
        lifetime_s=float(query.get("timeoutSeconds") or DEFAULT_LIFETIME_S),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One watch."""

    api: Api
    target: Target
    chosen: Filter
    wish: Wish
    bookmark_every_s: float

    async def frames(self) -> AsyncIterator[tuple[str, Document]]:
        """(type, object) until the lifetime is over. Raises ApiError."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.wish.lifetime_s
        store, resource = self.api.store, resource_key(self.target.resource)
        if self.wish.initial:
            store.check_not_older(int(self.wish.version or 0))
        if self.wish.initial or self.wish.version in ("", "0"):
            cursor = store.version
            for document in store.list(resource, self.chosen):
                yield "ADDED", document
            if self.wish.initial and self.wish.bookmarks:
                yield "BOOKMARK", self._bookmark(cursor, end=True)
        else:
            cursor = int(self.wish.version)
        due = loop.time() + self.bookmark_every_s
        began = store.version
        while (now := loop.time()) < end:
            if store.version < began:  # the server has another etcd: its watch cache begins anew
                raise expired(cursor, store.oldest)
            began = store.version
            for kind, document, version in list(store.since(min(cursor, store.version), resource, self.chosen)):
                cursor = version
                yield kind, document
            if store.version < cursor:  # from the future: a kube-apiserver says nothing until its versions are as far
                await store.changed(end - loop.time())
                continue
            cursor = store.version
            if self.wish.bookmarks and now >= due:
                due = now + self.bookmark_every_s
                yield "BOOKMARK", self._bookmark(store.version)
            if store.version == began:
                await store.changed(min(end, due) - loop.time())

    def _bookmark(self, version: int, *, end: bool = False) -> Document:
        data: Document = {"resourceVersion": str(version), "creationTimestamp": None}
        if end:
            data["annotations"] = {INITIAL_END: "true"}
        resource = self.target.resource
        document: Document = {"kind": resource.kind, "apiVersion": resource.version, "metadata": data}
        return {**document, "spec": {"containers": None}, "status": {}} if resource.plural == "pods" else document


async def serve(request: web.Request, watch: Watch, fault: Fault | None) -> web.StreamResponse:
    """The answer: a stream of lines."""
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    if fault is not None and fault.ailment is Ailment.HANG:
        await asyncio.sleep(FOREVER_S)
    try:
        await _stream(request, response, watch, fault)
    except ApiError as failure:
        await response.write(_line("ERROR", failure.status()))
    except ConnectionError:  # the client went
        return response
    await response.write_eof()
    return response


async def _stream(request: web.Request, response: web.StreamResponse, watch: Watch, fault: Fault | None) -> None:
    sent = 0
    first: bytes | None = None
    async for kind, document in watch.frames():
        line = _line(kind, document)
        if fault is not None and fault.ailment is not Ailment.DOUBLE and sent == fault.after:
            if await _spoiled(request, response, fault, line, first):
                return
            fault = None
        await response.write(line * 2 if fault is not None and fault.ailment is Ailment.DOUBLE else line)
        first = first or line
        sent += 1


async def _spoiled(
    request: web.Request, response: web.StreamResponse, fault: Fault, line: bytes, first: bytes | None
) -> bool:
    """Do what the fault says in place of a line; whether that is the end."""
    match fault.ailment:
        case Ailment.CUT:
            await response.write(line[: len(line) // 2])
            _abort(request)
        case Ailment.RESET:
            _abort(request)
        case Ailment.END:
            pass
        case Ailment.BAD_EVENT:
            await response.write(fault.body or b'{"type":"ADDED","object":[1,2')
            await response.write(b"\n")
        case Ailment.EXPIRE:
            raise expired(1, watch_version_unknown())
        case Ailment.REPLAY:
            await response.write(line + (first or b""))
            return False
        case _:
            await response.write(line)
            return False
    return True


def watch_version_unknown() -> int:
    """The oldest version that a fault claims."""
    return 2


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _line(kind: str, document: Document) -> bytes:
    return msgspec.json.encode({"type": kind, "object": document}) + b"\n"
