"""The times of next passes."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

SLACK = 64  # outdated entries that are tolerated


class WorkQueue:
    """One time for each pod UID, in seconds of one clock. A new time replaces the old one."""

    def __init__(self, sooner: Callable[[], None] = lambda: None) -> None:
        """`sooner` is called when a pod becomes the first to be due, so that a reader can shorten its wait."""
        self._sooner = sooner
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, uid: str, due: float) -> None:
        """Set the pod's time."""
        earliest = self.next_due()
        self._due[uid] = due
        heapq.heappush(self._heap, (due, uid))
        if len(self._heap) > 2 * len(self._due) + SLACK:
            self._heap = [(at, of) for of, at in self._due.items()]
            heapq.heapify(self._heap)
        if earliest is None or due < earliest:
            self._sooner()

    def discard(self, uid: str) -> None:
        """Forget a pod. An absent one succeeds."""
        self._due.pop(uid, None)

    def due(self, uid: str) -> float | None:
        """The pod's time. None if it does not wait."""
        return self._due.get(uid)

    def next_due(self) -> float | None:
        """The earliest time. None if no pod waits."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> Iterator[str]:
        """Remove and yield the UIDs whose time has come."""
        while (due := self.next_due()) is not None and due <= now:
            _, uid = heapq.heappop(self._heap)
            del self._due[uid]
            yield uid
