"""Deletion: preconditions, a pod's grace, finalizers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from podwright.k8s.times import format_time
from tests.harness.apiserver.documents import Document, field_of, metadata
from tests.harness.apiserver.failures import conflict
from tests.harness.apiserver.resources import Resource

POD_GRACE_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """The result of a deletion: `marked` replaces the object. None: the object is removed at once."""

    marked: Document | None


def deleted(document: Document, options: Document, resource: Resource, now: datetime) -> Deletion:
    """Decide what a DELETE does. Raises ApiError for preconditions that are not met."""
    _check(document, options.get("preconditions") or {}, resource)
    grace = _grace(document, options, resource)
    if grace == 0 and not metadata(document).get("finalizers"):
        return Deletion(marked=None)
    return Deletion(marked=_marked(document, grace, now))


def finished(document: Document) -> bool:
    """Whether an object that was marked can go: its last finalizer is gone, and it has no grace."""
    data = metadata(document)
    return (
        bool(data.get("deletionTimestamp"))
        and not data.get("finalizers")
        and not data.get("deletionGracePeriodSeconds")
    )


def _check(document: Document, wanted: dict[str, Any], resource: Resource) -> None:
    data = metadata(document)
    for field, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) and wanted[field] != data[field]:
            why = f"Precondition failed: {word} in precondition: {wanted[field]}, {word} in object meta: {data[field]}"
            raise conflict(resource.qualified, str(data["name"]), why)


def _grace(document: Document, options: Document, resource: Resource) -> int:
    """Only pods have one, and only while a node may run them (pkg/registry/core/pod: CheckGracefulDelete)."""
    if resource.plural != "pods":
        return 0
    asked = options.get("gracePeriodSeconds")
    own = document["spec"].get("terminationGracePeriodSeconds")
    grace = asked if asked is not None else own if own is not None else POD_GRACE_S
    if not document["spec"].get("nodeName") or field_of(document, "status.phase") in ("Succeeded", "Failed"):
        return 0
    return max(0, int(grace)) if grace >= 0 else 1


def _marked(document: Document, grace: int, now: datetime) -> Document:
    """A second DELETE may shorten the grace and never lengthens it."""
    data = metadata(document)
    if data.get("deletionTimestamp") and int(data.get("deletionGracePeriodSeconds") or 0) <= grace:
        return document
    marks: Document = {
        "deletionTimestamp": format_time(now + timedelta(seconds=grace)),
        "deletionGracePeriodSeconds": grace,
    }
    if data.get("generation"):
        marks["generation"] = int(data["generation"]) + 1
    return {**document, "metadata": {**data, **marks}}
