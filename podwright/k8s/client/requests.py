"""Calls of the protocol as HTTP requests. Pure. Rules: the API's conventions for paths and query parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode

import msgspec

from podwright.errors import InvalidArgument
from podwright.k8s.client.patch import Patch
from podwright.k8s.client.protocol import Paging, RawRequest, Selection, Watching
from podwright.k8s.codec import encode
from podwright.k8s.objects import DeleteOptions
from podwright.k8s.objects.base import Kind

JSON_TYPE = "application/json"


class ApiRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent: `target` is path and query, encoded. `what` names the call in messages."""

    method: str
    target: str
    what: str
    body: bytes = b""
    content_type: str = JSON_TYPE


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an object, or all objects of a kind, live."""

    kind: type[Kind]
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def path(self) -> str:
        """The path, encoded. Raises InvalidArgument for what cannot be part of one."""
        version = self.kind.API_VERSION
        parts = ["apis" if "/" in version else "api", *version.split("/")]
        if self.kind.NAMESPACED and self.namespace:
            parts += ["namespaces", self.namespace]
        parts += [self._resource(), self.name, self.subresource]
        return "".join(f"/{_segment(part)}" for part in parts if part)

    def label(self) -> str:
        """How messages name it: `pods default/web`, `nodes n1 (status)`."""
        name = "/".join(part for part in (self.namespace, self.name) if part)
        words = [self.kind.RESOURCE, name, f"({self.subresource})" if self.subresource else ""]
        return " ".join(word for word in words if word)

    def _resource(self) -> str:
        if not self.kind.RESOURCE:
            raise InvalidArgument(f"an API server keeps no objects of the kind {self.kind.__name__}")
        return self.kind.RESOURCE


def object_place(kind: type[Kind], name: str, namespace: str, subresource: str = "") -> Place:
    """The place of one object. Raises InvalidArgument when its name or namespace is missing."""
    if not name:
        raise InvalidArgument(f"{kind.RESOURCE}: a name is needed")
    _check_namespace(kind, namespace)
    return Place(kind=kind, namespace=namespace, name=name, subresource=subresource)


def get(place: Place) -> ApiRequest:
    """One object."""
    return ApiRequest(method="GET", target=place.path(), what=f"get {place.label()}")


def list_page(kind: type[Kind], selection: Selection, paging: Paging) -> ApiRequest:
    """One page of a list."""
    place = Place(kind=kind, namespace=selection.namespace)
    query = dict(_selected(selection))
    if paging.limit:
        query["limit"] = str(paging.limit)
    if paging.more:
        query["continue"] = paging.more
    elif paging.resource_version:
        query["resourceVersion"] = paging.resource_version
        query["resourceVersionMatch"] = "NotOlderThan"
    return ApiRequest(method="GET", target=_target(place.path(), query), what=f"list {place.label()}")


def watch(kind: type[Kind], selection: Selection, watching: Watching) -> ApiRequest:
    """A stream of changes."""
    place = Place(kind=kind, namespace=selection.namespace)
    query = {**dict(_selected(selection)), "watch": "true", "allowWatchBookmarks": "true"}
    query["timeoutSeconds"] = str(max(1, round(watching.lifetime_s)))
    if watching.resource_version:
        query["resourceVersion"] = watching.resource_version
    if watching.initial_events:
        query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    return ApiRequest(method="GET", target=_target(place.path(), query), what=f"watch {place.label()}")


def create(obj: Kind) -> ApiRequest:
    """A new object, or a review. Raises InvalidArgument when a namespace is missing."""
    kind, metadata = type(obj), getattr(obj, "metadata", None)
    namespace, name = getattr(metadata, "namespace", ""), getattr(metadata, "name", "")
    _check_namespace(kind, namespace)
    place = Place(kind=kind, namespace=namespace)
    what = f"create {Place(kind=kind, namespace=namespace, name=name).label()}"
    return ApiRequest(method="POST", target=place.path(), what=what, body=encode(obj))


def create_subresource(place: Place, body: Kind) -> ApiRequest:
    """A POST below an object."""
    return ApiRequest(method="POST", target=place.path(), what=f"create {place.label()}", body=encode(body))


def update(obj: Kind, subresource: str) -> ApiRequest:
    """An object in place of the one that is there."""
    metadata = getattr(obj, "metadata", None)
    name, namespace = getattr(metadata, "name", ""), getattr(metadata, "namespace", "")
    place = object_place(type(obj), name, namespace, subresource)
    return ApiRequest(method="PUT", target=place.path(), what=f"update {place.label()}", body=encode(obj))


def patch(place: Place, change: Patch) -> ApiRequest:
    """A change of parts."""
    query = {"fieldManager": change.manager} if change.manager else {}
    if change.force:
        query["force"] = "true"
    target = _target(place.path(), query)
    what = f"patch {place.label()}"
    return ApiRequest(method="PATCH", target=target, what=what, body=change.body, content_type=change.content_type)


def delete(place: Place, options: DeleteOptions) -> ApiRequest:
    """A deletion."""
    return ApiRequest(method="DELETE", target=place.path(), what=f"delete {place.label()}", body=encode(options))


def raw(request: RawRequest) -> ApiRequest:
    """The request as the caller made it."""
    target = _target(quote(request.path, safe="/:"), request.query)
    what = f"{request.method} {request.path}"
    return ApiRequest(
        method=request.method, target=target, what=what, body=request.body, content_type=request.content_type
    )


def _selected(selection: Selection) -> Iterator[tuple[str, str]]:
    if selection.labels:
        yield "labelSelector", selection.labels
    if selection.fields:
        yield "fieldSelector", selection.fields


def _target(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _segment(part: str) -> str:
    """One part of a path. An invalid name (`..`, `a/b`) must not lead to another object."""
    if part in (".", "..") or "/" in part or "%" in part:
        raise InvalidArgument(f"{part!r} cannot be part of an API path")
    return quote(part, safe=":")


def _check_namespace(kind: type[Kind], namespace: str) -> None:
    if kind.NAMESPACED and not namespace:
        raise InvalidArgument(f"{kind.RESOURCE}: a namespace is needed")
