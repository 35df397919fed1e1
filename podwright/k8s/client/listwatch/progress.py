"""How a set of objects is kept up to date: what to ask next, given what was answered. Pure.

    no list yet, or its version is of no use:   gather the present objects, by a watch with initial events (a streaming
                                                list), or page by page where the server cannot do that
    all gathered:                               hand them on as a whole, and watch from their version
    watch ended, connection lost:               watch from the last version seen
    410, silence, versions that go backwards:   gather again. What went meanwhile is missing then, and is removed

The sink has the state of one moment at any time after the first `replace`, however often the connection breaks, and
whatever the server sends twice. After an event in the wrong order, the watch is dropped and a new list taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Generic, Protocol, TypeVar

from podwright.errors import InvalidArgument, PodwrightError, Unavailable, Unimplemented
from podwright.k8s.client.changes import metadata_of
from podwright.k8s.client.failures import Garbled, Gone, Renewed, Silent, too_large_version
from podwright.k8s.client.protocol import Change, ChangeType, Page, Paging, Watching
from podwright.k8s.objects.base import Kind

K = TypeVar("K", bound=Kind)
K_contra = TypeVar("K_contra", bound=Kind, contravariant=True)

PAGE_OBJECTS = 500
ANY_VERSION = "0"
Key = tuple[str, str]


class ObjectSink(Protocol[K_contra]):
    """Who gets the objects."""

    def replace(self, objects: Collection[K_contra]) -> None:
        """These are all. What is not among them is gone."""

    def put(self, obj: K_contra) -> None:
        """It is new, or has changed."""

    def remove(self, obj: K_contra) -> None:
        """It is gone. This was its last state."""


class OutOfOrder(Garbled):
    """A watch went back in time."""


class Progress(Generic[K]):
    """The state of one set. `lean` may drop fields that are not needed before an object is handed on."""

    def __init__(
        self, sink: ObjectSink[K], *, streaming: bool, lean: Callable[[K], K], page_objects: int = PAGE_OBJECTS
    ) -> None:
        self._sink = sink
        self._lean = lean
        self._streaming = streaming
        self._page_objects = page_objects
        self._version = ""  # up to which the sink is complete; empty: gather
        self._floor = ANY_VERSION  # no list may be older than this, or time would go backwards
        self._more = ""
        self._gathered: dict[Key, K] = {}
        self.synced = False

    def ask(self) -> Paging | Watching:
        """The next request. Its lifetime is the caller's choice."""
        if self._version:
            return Watching(resource_version=self._version)
        if self._streaming:
            self._gathered = {}
            floor = "" if self._floor == ANY_VERSION else self._floor
            return Watching(resource_version=floor, initial_events=True)
        if not self._more:
            self._gathered = {}
        return Paging(limit=self._page_objects, more=self._more, resource_version="" if self._more else self._floor)

    def take_page(self, page: Page[K]) -> None:
        """A page has come. Raises Garbled for one that no API server made."""
        for obj in page.items:
            self._gather(obj)
        self._more = page.more
        if not page.more:
            self._complete(page.resource_version)

    def take(self, change: Change[K]) -> None:
        """A change has come. Raises OutOfOrder and Garbled when the stream cannot be trusted any more."""
        if not self._version:
            self._take_initial(change)
            return
        if is_older(change.resource_version, self._version):
            raise OutOfOrder(f"a watch went back from version {self._version} to {change.resource_version}")
        if change.resource_version == self._version:  # sent twice
            return
        if change.object is not None:
            if change.type is ChangeType.DELETED:
                self._sink.remove(change.object)
            else:
                self._sink.put(self._lean(change.object))
        self._advance(change.resource_version)

    def _take_initial(self, change: Change[K]) -> None:
        if change.initial_end:
            self._complete(change.resource_version)
        elif change.object is not None and change.type is ChangeType.DELETED:
            self._gathered.pop(key_of(change.object), None)
        elif change.object is not None:
            self._gather(change.object)

    def _gather(self, obj: K) -> None:
        key = key_of(obj)
        there = self._gathered.get(key)
        if there is None or not is_older(_version(obj), _version(there)):
            self._gathered[key] = self._lean(obj)

    def _complete(self, version: str) -> None:
        """Raises Garbled for a list without a version: no API server made it, so it must not empty the sink."""
        if not version:
            raise Garbled("a list has no resource version")
        gathered, self._gathered = self._gathered, {}
        self._sink.replace(gathered.values())
        self.synced = True
        self._advance(version)

    def _advance(self, version: str) -> None:
        if version:
            self._version = self._floor = version

    def fail(self, failure: PodwrightError) -> bool:
        """The request, or the stream, has failed. Whether to wait before the next one.

        A watch that has come as far as the server and then hears nothing is asked for anew at once: a server whose
        etcd reports no progress sends no bookmarks for a kind that does not change.
        """
        was_following = bool(self._version)
        if not self._version and self._streaming and isinstance(failure, InvalidArgument | Unimplemented):
            self._streaming = False
            return False
        if isinstance(failure, Gone | OutOfOrder | Silent) or too_large_version(failure):
            # The newest state is asked for: the version is forgotten, in the future, or of another history. In the
            # last case a kube-apiserver says nothing at all, not even by bookmarks, until it has come as far.
            self._version = self._floor = self._more = ""
        elif not isinstance(failure, Unavailable):
            self._more = ""
        return not (isinstance(failure, Renewed) or (was_following and isinstance(failure, Silent)))


def key_of(obj: Kind) -> Key:
    """Namespace and name."""
    metadata = metadata_of(obj)
    return metadata.namespace, metadata.name


def is_older(version: str, other: str) -> bool:
    """Whether a version came before another one. Versions that are no numbers tell nothing."""
    return version.isdecimal() and other.isdecimal() and _rank(version) < _rank(other)


def _rank(version: str) -> tuple[int, str]:
    """Orders numbers of any length. Python makes no int of thousands of digits."""
    digits = version.lstrip("0")
    return len(digits), digits


def _version(obj: Kind) -> str:
    return metadata_of(obj).resource_version
