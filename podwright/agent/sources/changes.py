"""The messages from sources to the sync loop."""

from __future__ import annotations

import enum

import msgspec

from podwright.k8s.objects import Pod

FILE, HTTP, API = "file", "http", "api"


class Operation(enum.Enum):
    """How pods of a source have changed. Changes are sent in the order of the members."""

    REMOVE = "remove"  # the pods are gone from the source
    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"  # the API asks for a graceful end (deletionTimestamp)
    RECONCILE = "reconcile"  # only the status differs


class SourceChange(msgspec.Struct, frozen=True, kw_only=True):
    """Pods of one source with one kind of change. An ADD without pods means that the source was read."""

    operation: Operation
    pods: tuple[Pod, ...]
    source: str
