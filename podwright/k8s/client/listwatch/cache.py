"""Objects by namespace and name: a sink that can be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Generic, TypeVar

from podwright.k8s.client.changes import metadata_of
from podwright.k8s.client.listwatch.progress import Key, key_of
from podwright.k8s.objects.base import Kind

K = TypeVar("K", bound=Kind)


class Cache(Generic[K]):
    """See `ObjectSink`. `changed` is called with the keys after every real change, and must not change the cache."""

    def __init__(self, changed: Callable[[Collection[Key]], None] = lambda _: None) -> None:
        self._objects: dict[Key, K] = {}
        self._changed = changed

    def get(self, namespace: str, name: str) -> K | None:
        """The object, or None."""
        return self._objects.get((namespace, name))

    def __iter__(self) -> Iterator[K]:
        """All objects, in no order."""
        return iter(list(self._objects.values()))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._objects)

    def replace(self, objects: Collection[K]) -> None:
        """See ObjectSink. Objects that have not changed stay the same ones: a new list does not double the memory."""
        before, self._objects = self._objects, {}
        touched = []
        for obj in objects:
            key = key_of(obj)
            old = before.pop(key, None)
            same = old is not None and _same(old, obj)
            self._objects[key] = old if old is not None and same else obj
            if not same:
                touched.append(key)
        touched += before
        if touched:
            self._changed(touched)

    def put(self, obj: K) -> None:
        """As `ObjectSink..put`."""
        key = key_of(obj)
        self._objects[key] = obj
        self._changed((key,))

    def remove(self, obj: K) -> None:
        """As `ObjectSink..remove`."""
        key = key_of(obj)
        if self._objects.pop(key, None) is not None:
            self._changed((key,))


def _same(one: Kind, other: Kind) -> bool:
    first, second = metadata_of(one), metadata_of(other)
    return (first.uid, first.resource_version) == (second.uid, second.resource_version)
