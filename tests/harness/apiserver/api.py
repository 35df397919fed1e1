"""The calls of the API on a store, without HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.harness.apiserver.documents import Document, Filter, metadata
from tests.harness.apiserver.failures import changed, exists, expired, no_resource, not_found
from tests.harness.apiserver.lifecycle.changing import updated
from tests.harness.apiserver.lifecycle.creation import completed, created
from tests.harness.apiserver.lifecycle.deletion import deleted, finished
from tests.harness.apiserver.merging.apply import patched
from tests.harness.apiserver.people import User
from tests.harness.apiserver.resources import Resource
from tests.harness.apiserver.store import Key, Store
from tests.harness.apiserver.subresources import Subresources

APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The object of a request. `name` is empty for a collection."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        """The key of the object in the store."""
        namespace = self.namespace if self.resource.namespaced else ""
        return Key(resource=resource_key(self.resource), namespace=namespace, name=self.name)


def resource_key(resource: Resource) -> str:
    """How the store names a resource."""
    return f"{resource.version}/{resource.plural}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rest:
    """The pages of a list that were not sent yet: all are of one version, whatever happens between them."""

    version: int
    documents: list[Document]


class Api:
    """See the module's text. All calls raise ApiError."""

    def __init__(self, store: Store, subresources: Subresources, now: Callable[[], datetime]) -> None:
        self.store = store
        self.subresources = subresources
        self._now = now
        self._rests: dict[str, _Rest] = {}

    def get(self, target: Target) -> Document:
        """The object."""
        found = self.store.get(target.key)
        if found is None:
            raise not_found(target.resource.qualified, target.name)
        return found

    def list(self, target: Target, chosen: Filter, *, limit: int, more: str, version: str) -> Document:
        """A page."""
        if more:
            rest = self._rests.pop(more, None)
            if rest is None or rest.version < self.store.oldest:
                raise expired(rest.version if rest else 0, self.store.oldest)
        else:
            self.store.check_not_older(int(version or 0))
            documents = self.store.list(resource_key(target.resource), chosen)
            rest = _Rest(version=self.store.version, documents=documents)
        page, left = (
            (rest.documents[:limit], rest.documents[limit:]) if limit and version != "0" else (rest.documents, [])
        )
        data: Document = {"resourceVersion": str(rest.version)}
        if left:
            token = secrets.token_urlsafe(12)
            self._rests[token] = _Rest(version=rest.version, documents=left)
            data |= {"continue": token, "remainingItemCount": len(left)}
        items = [{key: value for key, value in each.items() if key not in ("kind", "apiVersion")} for each in page]
        return {
            "kind": f"{target.resource.kind}List",
            "apiVersion": target.resource.version,
            "metadata": data,
            "items": items,
        }

    def create(self, target: Target, body: Document, user: User) -> Document:
        """A new object, or the answer of a review."""
        if target.subresource:
            return self._post_below(target, body)
        if target.resource.review:
            return self.subresources.review(target.resource, completed(body, target.resource))
        document = created(body, target.resource, target.namespace, self._now())
        document = self.subresources.begun(target.resource, document, user)
        placed = Target(resource=target.resource, namespace=target.namespace, name=str(metadata(document)["name"]))
        if self.store.get(placed.key) is not None:
            raise exists(target.resource.qualified, placed.name)
        return self.store.put(placed.key, document)

    def _post_below(self, target: Target, body: Document) -> Document:
        owner = self.get(target)
        match target.subresource:
            case "token":
                return self.subresources.token(owner, body)
            case "binding":
                spec = {**owner["spec"], "nodeName": body["target"]["name"]}
                scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": self._stamp()}
                status = {**owner["status"], "conditions": [*owner["status"].get("conditions", []), scheduled]}
                self.store.put(target.key, {**owner, "spec": spec, "status": status})
                return success()
            case "eviction":
                place = Target(resource=target.resource, namespace=target.namespace, name=target.name)
                return self.delete(place, body.get("deleteOptions") or {})
            case _:
                raise no_resource()

    def update(self, target: Target, body: Document) -> Document:
        """A PUT. A Lease's, unlike most, makes the object when there is none."""
        before = self.get(target)
        return self._stored(target, updated(before, body, target.resource, target.subresource))

    def patch(self, target: Target, body: Any, content_type: str, user: User) -> Document:
        """A PATCH; an apply makes the object when there is none."""
        before = self.store.get(target.key)
        if before is None:
            if content_type != APPLY or target.subresource:
                raise not_found(target.resource.qualified, target.name)
            place = Target(resource=target.resource, namespace=target.namespace)
            return self.create(place, {**body, "metadata": {**metadata(body), "name": target.name}}, user)
        wanted = patched(before, body, content_type, target.resource)
        asked = metadata(body).get("resourceVersion") if isinstance(body, dict) else None
        if asked and asked != metadata(before)["resourceVersion"]:
            raise changed(target.resource.qualified, target.name)
        return self._stored(target, updated(before, wanted, target.resource, target.subresource))

    def delete(self, target: Target, options: Document) -> Document:
        """A DELETE: of one object."""
        before = self.get(target)
        outcome = deleted(before, options, target.resource, self._now())
        if outcome.marked is None:
            self.store.remove(target.key)
            return before if target.resource.plural == "pods" else success()
        return self.store.put(target.key, outcome.marked)

    def delete_all(self, target: Target, chosen: Filter, options: Document) -> Document:
        """A DELETE of a collection."""
        for each in self.store.list(resource_key(target.resource), chosen):
            data = metadata(each)
            place = Target(resource=target.resource, namespace=str(data.get("namespace", "")), name=str(data["name"]))
            self.delete(place, options)
        return success()

    def _stored(self, target: Target, document: Document) -> Document:
        document = self.subresources.changed(target.resource, document)
        if finished(document):
            self.store.remove(target.key)
            return document
        return self.store.put(target.key, document)

    def _stamp(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def success() -> Document:
    """The Status of what went well."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
