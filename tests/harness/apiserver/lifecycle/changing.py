"""A changed object: which parts a request may change, what may not change at all, and the generation."""

from __future__ import annotations

from typing import Any

from tests.harness.apiserver.documents import Document, metadata
from tests.harness.apiserver.failures import ApiError, changed, conflict, invalid
from tests.harness.apiserver.lifecycle.creation import OWN, completed
from tests.harness.apiserver.resources import Resource

# Of a pod's spec, beside images (pkg/apis/core/validation: ValidatePodUpdate).
_FREE_POD_FIELDS = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations")
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_RESIZED = ("resources", "resizePolicy")


def updated(before: Document, wanted: Document, resource: Resource, subresource: str) -> Document:
    """The object to store in place of `before`. Raises ApiError."""
    _check_preconditions(before, wanted, resource)
    merged = _parts(before, wanted, resource, subresource)
    kept = {key: metadata(before)[key] for key in OWN if key in metadata(before)}
    data = {**{key: value for key, value in metadata(merged).items() if key not in OWN}, **kept}
    data |= {key: metadata(before)[key] for key in ("name", "namespace") if key in metadata(before)}
    after = completed({**merged, "metadata": data}, resource)
    _check_unchanged(before, after, resource, subresource)
    if after.get("spec") != before.get("spec"):
        data = {**metadata(after), "generation": int(metadata(before).get("generation") or 0) + 1}
        after = {**after, "metadata": data}
    return after


def _check_preconditions(before: Document, wanted: Document, resource: Resource) -> None:
    name, data = str(metadata(before)["name"]), metadata(wanted)
    if data.get("resourceVersion", metadata(before)["resourceVersion"]) not in (
        "",
        metadata(before)["resourceVersion"],
    ):
        raise changed(resource.qualified, name)
    if data.get("uid", metadata(before)["uid"]) not in ("", metadata(before)["uid"]):
        why = f"Precondition failed: UID in precondition: {data['uid']}, UID in object meta: {metadata(before)['uid']}"
        raise conflict(resource.qualified, name, why)
    if data.get("name", name) != name:
        raise ApiError(
            400, "BadRequest", f"the name of the object ({data['name']}) does not match the name on the URL ({name})"
        )


def _parts(before: Document, wanted: Document, resource: Resource, subresource: str) -> Document:
    """The old object with what the request may change."""
    match subresource:
        case "status":
            return {**before, "status": wanted.get("status") or {}, "metadata": _labelled(before, wanted)}
        case "ephemeralcontainers":
            added = wanted.get("spec", {}).get("ephemeralContainers") or []
            return {**before, "spec": {**before["spec"], "ephemeralContainers": added}}
        case "resize":
            return {**before, "spec": wanted.get("spec") or {}}
        case "approval":
            conditions = (wanted.get("status") or {}).get("conditions") or []
            return {**before, "status": {**(before.get("status") or {}), "conditions": conditions}}
        case "finalize":
            return {**before, "spec": wanted.get("spec") or {}}
        case _ if resource.has_status:
            rest = {key: value for key, value in wanted.items() if key != "status"}
            return {**rest, "status": before["status"]} if "status" in before else rest
        case _:
            return wanted


def _labelled(before: Document, wanted: Document) -> Document:
    """A write of the status may change labels, annotations and finalizers of nodes and pods as well."""
    changing = ("labels", "annotations", "finalizers", "ownerReferences", "managedFields")
    data = {key: value for key, value in metadata(before).items() if key not in changing}
    return {**data, **{key: metadata(wanted)[key] for key in changing if key in metadata(wanted)}}


def _check_unchanged(before: Document, after: Document, resource: Resource, subresource: str) -> None:
    name = str(metadata(before)["name"])
    if resource.plural in ("configmaps", "secrets") and before.get("immutable"):
        parts = ("data", "binaryData", "immutable")
        if any(before.get(key) != after.get(key) for key in parts):
            raise invalid(resource.kind, name, "data", "Forbidden: field is immutable when `immutable` is set")
    if resource.plural != "pods" or subresource in ("status", "ephemeralcontainers"):
        return
    free = _RESIZED if subresource == "resize" else ("image",)
    fields = () if subresource == "resize" else _FREE_POD_FIELDS
    if _fixed(before, free, fields) != _fixed(after, free, fields):
        what = "only resources" if subresource == "resize" else f"only {', '.join(('image', *_FREE_POD_FIELDS))}"
        raise invalid("Pod", name, "spec", f"Forbidden: pod updates may change {what}")


def _fixed(document: Document, free: tuple[str, ...], fields: tuple[str, ...]) -> Any:
    """The part of a pod's spec that must not change."""
    spec = {key: value for key, value in document["spec"].items() if key not in (*fields, *free)}
    for part in _CONTAINERS:
        if part in spec:
            spec[part] = [{key: value for key, value in each.items() if key not in free} for each in spec[part]]
    return spec
