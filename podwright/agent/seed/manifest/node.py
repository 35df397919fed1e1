"""The base of all manifest structs, whose fields are those that the agent honours."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Node(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An object of a manifest.

    The struct's own fields are those that the agent honours; other fields of the Kubernetes API are named in a
    warning. `REFUSED` are those without which the pod cannot mean what it says: each is an error. `QUIET` gives
    values of the others that change nothing here, so that nothing needs to be said.
    """

    REFUSED: ClassVar[frozenset[str]] = frozenset()
    QUIET: ClassVar[dict[str, tuple[object, ...]]] = {}


def names(text: str) -> frozenset[str]:
    """A set of field names from words."""
    return frozenset(text.split())
