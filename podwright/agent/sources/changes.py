"""The messages from sources to the sync loop."""

from __future__ import annotations

import enum

import msgspec

from podwright.k8s.objects import Pod

FILE, HTTP, API = "file", "http", "api"


class Operation(enum.Enum):
    """How pods of a source have changed. The order of the members is the order in which changes are handed on."""

    REMOVE = "remove"  # the pods are gone from the source
    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"  # the API asks for a graceful end (deletionTimestamp)
    RECONCILE = "reconcile"  # only the status differs


class SourceChange(msgspec.Struct, frozen=True, kw_only=True):
    """Pods of one source with one kind of change. An ADD without pods says that the source has been read."""

    operation: Operation
    pods: tuple[Pod, ...]
    source: str
