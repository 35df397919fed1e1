"""The tests' API server without HTTP, for tests on virtual time: the client's protocol straight on its calls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import msgspec

from podwright.errors import DeadlineExceeded
from podwright.k8s.client.failures import ServerFailed, failure_of
from podwright.k8s.client.patch import Patch
from podwright.k8s.client.protocol import (
    CALL_TIMEOUT_S,
    EVERYWHERE,
    FROM_NOW,
    WHOLE,
    Change,
    ChangeType,
    Page,
    Paging,
    RawRequest,
    Selection,
    Watching,
)
from podwright.k8s.codec import from_document, to_document
from podwright.k8s.objects import DeleteOptions, Status
from podwright.k8s.objects.base import Kind
from tests.harness.apiserver.api import Target
from tests.harness.apiserver.documents import read_filter
from tests.harness.apiserver.failures import ApiError
from tests.harness.apiserver.http import discovery
from tests.harness.apiserver.resources import find
from tests.harness.apiserver.server import ADMIN, ApiServer

K = TypeVar("K", bound=Kind)

POLL_S = 600.0


class DirectApi:
    """`requests` names each call that came; `fail` makes the next calls fail, as a server that is down does.

    With `lose_answers` calls are done, and fail for whoever calls.
    """

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self.requests: list[str] = []
        self.fail = False
        self.lose_answers = False

    async def get(self, kind: type[K], name: str, *, namespace: str = "", timeout_s: float = CALL_TIMEOUT_S) -> K:
        target = _target(kind, namespace, name)
        return self._call("get", kind, target, lambda: self._server.api.get(target))

    async def list(
        self,
        kind: type[K],
        selection: Selection = EVERYWHERE,
        paging: Paging = WHOLE,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Page[K]:
        chosen = read_filter(selection.namespace, selection.labels, selection.fields)
        target = _target(kind, selection.namespace)
        with self._noted("list", kind, target):
            document = self._server.api.list(target, chosen, limit=0, more="", version="")
        items = tuple(from_document(item, kind) for item in document["items"])
        return Page(items=items, resource_version=document["metadata"]["resourceVersion"])

    @contextlib.asynccontextmanager
    async def watch(
        self,
        kind: type[K],
        selection: Selection = EVERYWHERE,
        watching: Watching = FROM_NOW,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> AsyncIterator[AsyncIterator[Change[K]]]:
        with self._noted("watch", kind, _target(kind, selection.namespace)):
            yield self._changes(kind, selection, watching)

    async def _changes(self, kind: type[K], selection: Selection, watching: Watching) -> AsyncIterator[Change[K]]:
        store = self._server.store
        chosen = read_filter(selection.namespace, selection.labels, selection.fields)
        resource = f"{kind.API_VERSION}/{kind.RESOURCE}"
        version = int(watching.resource_version or 0)
        if watching.initial_events:
            version = store.version
            for document in store.list(resource, chosen):
                yield _change(ChangeType.ADDED, document, kind)
            yield Change(type=ChangeType.BOOKMARK, object=None, resource_version=str(version), initial_end=True)
        while True:
            with self._noted("", kind, _target(kind)):
                found = list(store.since(version, resource, chosen))
            for word, document, version in found:  # noqa: B007 # the last version is where the next look begins
                yield _change(ChangeType(word), document, kind)
            if not found:
                await store.changed(POLL_S)

    async def create(self, obj: K, *, timeout_s: float = CALL_TIMEOUT_S) -> K:
        document = to_document(obj)
        target = _target(type(obj), document.get("metadata", {}).get("namespace", ""))
        return self._call("create", type(obj), target, lambda: self._server.api.create(target, document, ADMIN))

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
        target = _target(owner, namespace, name, subresource)
        document = to_document(body)
        return self._call("create", type(body), target, lambda: self._server.api.create(target, document, ADMIN))

    async def update(self, obj: K, *, subresource: str = "", timeout_s: float = CALL_TIMEOUT_S) -> K:
        document = to_document(obj)
        metadata = document["metadata"]
        target = _target(type(obj), metadata.get("namespace", ""), metadata["name"], subresource)
        return self._call("update", type(obj), target, lambda: self._server.api.update(target, document))

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
        target = _target(kind, namespace, name, subresource)
        body = msgspec.json.decode(patch.body)
        return self._call(
            "patch", kind, target, lambda: self._server.api.patch(target, body, patch.content_type, ADMIN)
        )

    async def delete(
        self,
        kind: type[Kind],
        name: str,
        *,
        namespace: str = "",
        options: DeleteOptions = DeleteOptions(),  # noqa: B008 # frozen
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        target = _target(kind, namespace, name)
        with self._noted("delete", kind, target):
            self._server.api.delete(target, to_document(options))

    async def raw(self, request: RawRequest, *, timeout_s: float = CALL_TIMEOUT_S) -> bytes:
        found = discovery.document(request.path)
        if found is None:
            raise NotImplementedError(request.path)
        return msgspec.json.encode(found)

    def _call(self, verb: str, kind: type[K], target: Target, call: Callable[[], dict[str, Any]]) -> K:
        with self._noted(verb, kind, target):
            return from_document(call(), kind)

    @contextlib.contextmanager
    def _noted(self, verb: str, kind: type[Kind], target: Target) -> Iterator[None]:
        if verb:
            name = "/".join(part for part in (target.name, target.subresource) if part)
            self.requests.append(f"{verb} {kind.RESOURCE or kind.__name__} {name}".strip())
        if self.fail:
            raise ServerFailed("the server is down", status=Status(code=503))
        try:
            yield
        except ApiError as error:
            raise failure_of(from_document(error.status(), Status), f"{verb} {kind.RESOURCE}") from error
        if self.lose_answers:
            raise DeadlineExceeded(f"cannot {verb} {kind.RESOURCE}: no answer")


def _target(kind: type[Kind], namespace: str = "", name: str = "", subresource: str = "") -> Target:
    resource = find(kind.API_VERSION, kind.RESOURCE)
    assert resource is not None, kind
    return Target(
        resource=resource,
        namespace=namespace if resource.namespaced else "",
        name=name,
        subresource=subresource,
    )


def _change(kind_of_change: ChangeType, document: dict[str, Any], kind: type[K]) -> Change[K]:
    version = document["metadata"]["resourceVersion"]
    return Change(type=kind_of_change, object=from_document(document, kind), resource_version=version)


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(20):
        await asyncio.sleep(0)
