"""Objects by resource and name, a version for every change, and the history that watches and old lists need.

One number counts all changes, as in etcd. Documents are never changed once they are stored. `compact` forgets the
history, `reset` begins a new one, as an etcd that was restored from a backup, or replaced by an empty one.
"""

from __future__ import annotations

import asyncio
import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tests.harness.apiserver.documents import Document, Filter, metadata
from tests.harness.apiserver.failures import expired, too_large

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"
HISTORY = 10_000
FIRST_VERSION = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An object: its resource as `version/plural`, namespace ("" for none) and name."""

    resource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change: the object before and after (None: there was none, there is none any more)."""

    version: int
    key: Key
    before: Document | None
    after: Document | None


class Store:
    """See the module's text. Not for threads; whoever waits for changes awaits `changed`."""

    def __init__(self) -> None:
        self.version = FIRST_VERSION
        self.oldest = FIRST_VERSION
        self._objects: dict[Key, Document] = {}
        self._history: deque[Event] = deque()
        self._waiting: asyncio.Future[None] | None = None

    def get(self, key: Key) -> Document | None:
        """The object as it is."""
        return self._objects.get(key)

    def list(self, resource: str, chosen: Filter) -> list[Document]:
        """In the order of their keys, as etcd gives them."""
        keys = sorted(
            (key for key in self._objects if key.resource == resource), key=lambda key: (key.namespace, key.name)
        )
        return [self._objects[key] for key in keys if chosen.takes(self._objects[key])]

    def put(self, key: Key, document: Document) -> Document:
        """Store a new version; a copy of the document with that version. An equal one is not stored again."""
        before = self._objects.get(key)
        if before is not None and _bare(before) == _bare(document):
            return before
        self.version += 1
        stored = {**document, "metadata": {**metadata(document), "resourceVersion": str(self.version)}}
        self._objects[key] = stored
        self._note(Event(version=self.version, key=key, before=before, after=stored))
        return stored

    def remove(self, key: Key) -> None:
        """Delete it."""
        before = self._objects.pop(key)
        self.version += 1
        self._note(Event(version=self.version, key=key, before=before, after=None))

    def _note(self, event: Event) -> None:
        self._history.append(event)
        if len(self._history) > HISTORY:
            self.oldest = self._history.popleft().version
        self._wake()

    def since(self, version: int, resource: str, chosen: Filter) -> Iterator[tuple[str, Document, int]]:
        """(type, object, version) of what a watch sees after `version`. Raises ApiError when that is forgotten."""
        if version < self.oldest:
            raise expired(version, self.oldest)
        start = bisect.bisect_right(self._history, version, key=lambda event: event.version)
        for event in list(self._history)[start:]:
            if event.key.resource == resource and (seen := _seen(event, chosen)):
                yield (*seen, event.version)

    def check_not_older(self, version: int) -> None:
        """Raises ApiError when the store has not come as far."""
        if version > self.version:
            raise too_large(version, self.version)

    def compact(self) -> None:
        """Forget what was."""
        self._history.clear()
        self.oldest = self.version

    def reset(self, *, empty: bool, version: int = FIRST_VERSION) -> None:
        """Begin a new history, with the same objects or none, whose versions start again at `version`."""
        kept = [] if empty else sorted(self._objects.items(), key=lambda item: (item[0].namespace, item[0].name))
        self._objects.clear()
        self._history.clear()
        self.version = self.oldest = version
        for key, document in kept:
            self.put(key, document)

    async def changed(self, timeout_s: float) -> None:
        """Return at the next change, or after a while."""
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._waiting], timeout=max(0.0, timeout_s))

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _bare(document: Document) -> Document:
    data = {key: value for key, value in metadata(document).items() if key != "resourceVersion"}
    return {**document, "metadata": data}


def _seen(event: Event, chosen: Filter) -> tuple[str, Document] | None:
    """An object that comes into the selection is ADDED to it, and one that leaves it is DELETED from it."""
    was, now = chosen.takes(event.before), chosen.takes(event.after)
    if now and event.after is not None:
        return (MODIFIED if was else ADDED, event.after)
    if was and event.before is not None:
        last = event.before
        return (DELETED, {**last, "metadata": {**metadata(last), "resourceVersion": str(event.version)}})
    return None
