"""Static pods with one name run one after another: the next pod starts when the one before has ended for good."""

from __future__ import annotations

from collections import deque


class StaticOrder:
    """Which pods may start, by their full names."""

    def __init__(self) -> None:
        self._started: dict[str, str] = {}
        self._waiting: dict[str, deque[str]] = {}

    def arrive(self, full_name: str, uid: str) -> None:
        """Add a static pod to those that wait for their turn."""
        self._waiting.setdefault(full_name, deque()).append(uid)

    def may_start(self, full_name: str, uid: str) -> bool:
        """Whether it is this pod's turn. If so, it counts as started."""
        if full_name in self._started:
            return self._started[full_name] == uid
        waiting = self._waiting.get(full_name)
        if waiting and waiting[0] != uid:
            return False
        if waiting:
            waiting.popleft()
            if not waiting:
                del self._waiting[full_name]
        self._started[full_name] = uid
        return True

    def next(self, full_name: str) -> str | None:
        """The UID of the pod that may start now. None while one runs, or if none waits."""
        waiting = self._waiting.get(full_name)
        return waiting[0] if waiting and full_name not in self._started else None

    def leave(self, full_name: str, uid: str) -> None:
        """Remove a pod that has ended, or does not wait any more."""
        if self._started.get(full_name) == uid:
            del self._started[full_name]
        waiting = self._waiting.get(full_name)
        if waiting is not None and uid in waiting:
            waiting.remove(uid)
            if not waiting:
                del self._waiting[full_name]
