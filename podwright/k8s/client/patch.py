"""Patches as values: what kind of patch, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from podwright.k8s.codec import encode
from podwright.k8s.objects.base import Kind

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """Made by the functions below. `manager` owns the fields it sets (needed for an apply)."""

    content_type: str
    body: bytes
    manager: str = ""
    force: bool = False


def strategic(document: Mapping[str, Any]) -> Patch:
    """Lists merge by the keys that the API publishes. Null deletes a field."""
    return Patch(content_type=STRATEGIC, body=msgspec.json.encode(document))


def merge(document: Mapping[str, Any]) -> Patch:
    """RFC 7386: lists are replaced, null deletes a field."""
    return Patch(content_type=MERGE, body=msgspec.json.encode(document))


def operations(steps: Sequence[Mapping[str, Any]]) -> Patch:
    """RFC 6902: add, remove, replace, test, in order and all or nothing."""
    return Patch(content_type=JSON, body=msgspec.json.encode(steps))


def apply(obj: Kind, *, manager: str, force: bool = False) -> Patch:
    """Server-side apply: the fields that `manager` wants. `force` takes those that others own."""
    return Patch(content_type=APPLY, body=encode(obj), manager=manager, force=force)
