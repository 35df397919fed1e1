"""Kinds by the names that documents carry: apiVersion and kind to the type."""

from __future__ import annotations

from functools import cache

from podwright.k8s import objects
from podwright.k8s.objects.base import Kind
from podwright.k8s.objects.generic import List


def find_kind(api_version: str, kind: str) -> type[Kind] | None:
    """The type of an object that stands by itself, or None for one that is not known here."""
    return _kinds().get((api_version, kind))


@cache
def _kinds() -> dict[tuple[str, str], type[Kind]]:
    """All types with an apiVersion: the base classes have none."""
    found = [item for item in vars(objects).values() if isinstance(item, type) and issubclass(item, Kind)]
    kinds: list[type[Kind]] = [*found, List]
    return {(cls.API_VERSION, cls.__name__): cls for cls in kinds if cls.API_VERSION}
