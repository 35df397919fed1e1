"""Requests to calls: who asks, what goes wrong on purpose, the path, the method, the body, the answer."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml
from aiohttp import web

from podwright.errors import InvalidArgument
from tests.harness.apiserver.api import Api, Target
from tests.harness.apiserver.documents import Document, read_filter
from tests.harness.apiserver.failures import ApiError
from tests.harness.apiserver.faults import Ailment, Fault, Faults
from tests.harness.apiserver.http import discovery
from tests.harness.apiserver.http.paths import read_path
from tests.harness.apiserver.http.watching import FOREVER_S, Watch, read_wish, serve
from tests.harness.apiserver.people import Tokens, User, user_of

ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",))


@dataclass(slots=True, kw_only=True)
class Handler:
    """Called by aiohttp for every request. `seen` counts requests by method and path."""

    api: Api
    tokens: Tokens
    faults: Faults
    anonymous: bool = False
    streaming_lists: bool = True
    bookmark_every_s: float = 60.0
    seen: Counter[str] = field(default_factory=Counter)
    watches: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The answer."""
        try:
            return await self._answered(request)
        except ApiError as failure:
            headers = {"Retry-After": str(failure.retry_after_s)} if failure.retry_after_s else {}
            return _json(failure.status(), failure.code, headers)
        except InvalidArgument as failure:
            return _json(ApiError(400, "BadRequest", str(failure)).status(), 400)

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        watching = request.method == "GET" and request.query.get("watch") in ("true", "1")
        self.seen[f"{request.method} {request.path}"] += 1
        fault = self.faults.take(request.method, request.path, watch=watching)
        if fault is not None and (early := await _early(request, fault, watching=watching)) is not None:
            return early
        user = self._user(request)
        if (found := discovery.document(request.path)) is not None:
            return _json(found)
        if request.path == "/openapi/v2":  # for kubectl before 1.27: an empty document, in protobuf
            return web.Response(body=b"", content_type="application/octet-stream")
        if request.path == "/whoami":
            return web.Response(text=" ".join((user.name, *user.groups)))
        if request.path in ("/readyz", "/livez", "/healthz"):
            return web.Response(text="ok")
        target = read_path(request.raw_path.partition("?")[0])
        if watching:
            return await self._watched(request, target, fault)
        return await self._called(request, target, user)

    def _user(self, request: web.Request) -> User:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind == "Bearer":
            user = self.tokens.users.get(token.strip())
        else:
            tls = request.transport.get_extra_info("ssl_object") if request.transport else None
            certificate = tls.getpeercert(binary_form=True) if isinstance(tls, ssl.SSLObject) else None
            user = user_of(certificate) if certificate else (ANONYMOUS if self.anonymous else None)
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return user

    async def _watched(self, request: web.Request, target: Target, fault: Fault | None) -> web.StreamResponse:
        query = request.query
        fields = query.get("fieldSelector", "")
        if target.name:  # the old form of a watch of one object
            fields = f"metadata.name={target.name}"
        watch = Watch(
            api=self.api,
            target=target,
            chosen=read_filter(target.namespace, query.get("labelSelector", ""), fields),
            wish=read_wish(query, streaming_lists=self.streaming_lists),
            bookmark_every_s=self.bookmark_every_s,
        )
        self.watches += 1
        try:
            return await serve(request, watch, fault)
        finally:
            self.watches -= 1

    async def _called(self, request: web.Request, target: Target, user: User) -> web.StreamResponse:
        query, api = request.query, self.api
        chosen = read_filter(target.namespace, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        match request.method:
            case "GET" if target.name:
                return _json(api.get(target))
            case "GET":
                limit, more = int(query.get("limit") or 0), query.get("continue", "")
                version = query.get("resourceVersion", "")
                return _json(api.list(target, chosen, limit=limit, more=more, version=version))
            case "POST":
                return _json(api.create(target, await _body(request), user), 201)
            case "PUT":
                return _json(api.update(target, await _body(request)))
            case "PATCH":
                return _json(api.patch(target, await _body(request), request.content_type, user))
            case "DELETE":
                options = await _options(request)
                return _json(api.delete(target, options) if target.name else api.delete_all(target, chosen, options))
            case _:
                raise ApiError(
                    405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
                )


async def _early(request: web.Request, fault: Fault, *, watching: bool) -> web.StreamResponse | None:
    """The answer of a fault that comes before the request is looked at, or None."""
    match fault.ailment:
        case Ailment.REFUSE:
            reasons = {
                429: "TooManyRequests",
                401: "Unauthorized",
                403: "Forbidden",
                410: "Expired",
                500: "InternalError",
            }
            reason = reasons.get(fault.code, "")
            raise ApiError(fault.code, reason, "as the test wants it", retry_after_s=fault.retry_after_s)
        case Ailment.GARBAGE:
            return web.Response(body=fault.body or b"<html>a proxy's page</html>", content_type="text/html")
        case Ailment.SLOW:
            await asyncio.sleep(fault.delay_s)
        case Ailment.HANG if not watching:
            await asyncio.sleep(FOREVER_S)
        case Ailment.RESET if not watching and request.transport is not None:
            request.transport.abort()
            raise ApiError(500, "", "the connection is closed")
        case _:
            pass
    return None


async def _body(request: web.Request) -> Any:
    data = await request.read()
    if not request.content_type.endswith(("json", "yaml", "octet-stream")):  # the last: no type was given
        message = f"the body of the request was in an unknown format: {request.content_type}"
        raise ApiError(415, "UnsupportedMediaType", message)
    try:
        return yaml.safe_load(data) if request.content_type.endswith("yaml") else msgspec.json.decode(data)
    except (msgspec.DecodeError, yaml.YAMLError) as failure:
        raise ApiError(400, "BadRequest", f"the body is not what it says it is: {failure}") from failure


async def _options(request: web.Request) -> Document:
    options: Document = (await _body(request) if await request.read() else {}) or {}
    if "gracePeriodSeconds" in request.query:
        options["gracePeriodSeconds"] = int(request.query["gracePeriodSeconds"])
    return options


def _json(document: Any, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = msgspec.json.encode(document)
    return web.Response(body=body, status=code, headers=headers, content_type="application/json")
