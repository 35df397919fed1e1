"""The messages from sources to the sync loop."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from podwright.k8s.objects import Pod

FILE, HTTP, API = "file", "http", "api"


class Operation(enum.Enum):
    """How pods of a source have changed. The order of the members is the order in which changes are handed on."""

    REMOVE = "remove"  # the pods are gone from the source
    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"  # the API asks for a graceful end (deletionTimestamp)
    RECONCILE = "reconcile"  # only the status differs


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChange:
    """Pods of one source with one kind of change. An ADD without pods says that the source has been read."""

    operation: Operation
    pods: tuple[Pod, ...]
    source: str
