"""A new object: what the server fills in, and what it takes away."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime
from typing import Any

from podwright.errors import InvalidArgument
from podwright.k8s.codec import from_document, to_document
from podwright.k8s.defaults.apply import with_defaults
from podwright.k8s.names import subdomain_faults
from podwright.k8s.times import format_time
from tests.harness.apiserver.documents import Document, metadata
from tests.harness.apiserver.failures import ApiError, invalid
from tests.harness.apiserver.resources import Resource

# Without these letters no word comes about (apimachinery's util/rand).
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
OWN = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def created(document: Document, resource: Resource, namespace: str, now: datetime) -> Document:
    """The object as it is stored. Raises ApiError."""
    given = metadata(document)
    if given.get("resourceVersion"):
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    data = {key: value for key, value in given.items() if key not in OWN}
    name = data.get("name") or _generated(str(data.get("generateName") or ""))
    _check_name(resource, name)
    data |= {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": format_time(now)}
    if resource.namespaced:
        if data.get("namespace", namespace) != namespace:
            raise ApiError(
                400, "BadRequest", "the namespace of the object does not match the namespace of the request"
            )
        data["namespace"] = namespace
    if "spec" in document:
        data["generation"] = 1
    return completed(_begun({**document, "metadata": data}, resource), resource)


def completed(document: Document, resource: Resource) -> Document:
    """With its kind and its defaults; unknown fields stay. Raises ApiError for what does not fit its type."""
    named = {"kind": resource.kind, "apiVersion": resource.version, **document}
    if resource.shape is None:
        return named
    try:
        full = to_document(with_defaults(from_document(named, resource.shape)))
    except InvalidArgument as failure:
        name = str(metadata(document).get("name"))
        raise invalid(resource.kind, name, "", str(failure)) from failure
    completed_document: Document = _filled(named, full)
    return completed_document


def _filled(document: Any, full: Any) -> Any:
    """The document with what only `full` has; items of lists belong together by their position."""
    if isinstance(document, dict) and isinstance(full, dict):
        return {**document, **{key: _filled(document.get(key), value) for key, value in full.items()}}
    if isinstance(document, list) and isinstance(full, list) and len(document) == len(full):
        return [_filled(one, other) for one, other in zip(document, full, strict=True)]
    return document if document is not None else full


def _begun(document: Document, resource: Resource) -> Document:
    if resource.plural == "pods":
        return {**document, "status": {"phase": "Pending", "qosClass": _qos(document)}}
    if resource.plural == "nodes" or not resource.has_status or resource.review:
        return document
    if resource.plural == "namespaces":
        return {**document, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    return {key: value for key, value in document.items() if key != "status"}


def _qos(document: Document) -> str:
    kinds = set()
    for container in document.get("spec", {}).get("containers") or []:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        full = {"cpu", "memory"} <= set(limits) and all(
            requests.get(key, limits[key]) == limits[key] for key in limits
        )
        kinds.add("Guaranteed" if full else "Burstable" if limits or requests else "BestEffort")
    return kinds.pop() if len(kinds) == 1 else "Burstable"


def _generated(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(5)) if prefix else ""


def _check_name(resource: Resource, name: str) -> None:
    if not name:
        raise invalid(resource.kind, "", "metadata.name", "Required value: name or generateName is required")
    if faults := list(subdomain_faults(name)):
        raise invalid(resource.kind, name, "metadata.name", f"Invalid value: {name!r}: {faults[0]}")
