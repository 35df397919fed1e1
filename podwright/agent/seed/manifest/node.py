"""The base of all manifest structs: which fields a struct honours, and which it knows but does not."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Node(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An object of a manifest.

    The struct's own fields are those that the agent honours. `WARNED` are fields of the Kubernetes API that it
    does not honour: each is named in a warning. `REFUSED` are those without which the pod cannot mean what it
    says: each is an error. Every other name is a spelling mistake. `QUIET` gives values of warned fields that
    change nothing here, so that nothing needs to be said.
    """

    WARNED: ClassVar[frozenset[str]] = frozenset()
    REFUSED: ClassVar[frozenset[str]] = frozenset()
    QUIET: ClassVar[dict[str, tuple[object, ...]]] = {}


def names(text: str) -> frozenset[str]:
    """A set of field names from words."""
    return frozenset(text.split())
