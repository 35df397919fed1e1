"""The order in which pods' statuses are written. Pure.

When many pods start at once, the first status of a pod, which only says that its containers are created, is soon
replaced by one that others wait for. Such first statuses are written one at a time, after all others.
"""

from __future__ import annotations

from msgspec import Struct

PARALLEL = 8  # writes at a time
PARALLEL_LATER = 1  # of these, for pods whose turn comes later


class WriteTurn(Struct, frozen=True, kw_only=True):
    """A pod whose status is to be written now."""

    uid: str
    later: bool


class WriteOrder:
    """Pods that wait for their turn, by UID. A pod waits once, and has one turn at a time."""

    def __init__(self) -> None:
        self._waiting: dict[str, bool] = {}  # by UID, the first that came first; the value is `later`
        self._under_way: dict[str, WriteTurn] = {}

    def add(self, uid: str, *, later: bool = False) -> None:
        """Let a pod wait. One that waits already goes first if any of its changes does."""
        self._waiting[uid] = later and self._waiting.get(uid, True)

    def take(self) -> WriteTurn | None:
        """Begin the next turn. None if no pod waits, or if enough turns are under way."""
        if len(self._under_way) >= PARALLEL:
            return None
        turn = self._next(later=False)
        if turn is None and sum(turn.later for turn in self._under_way.values()) < PARALLEL_LATER:
            turn = self._next(later=True)
        if turn is not None:
            del self._waiting[turn.uid]
            self._under_way[turn.uid] = turn
        return turn

    def end(self, turn: WriteTurn) -> None:
        """Note that a turn is over."""
        del self._under_way[turn.uid]

    def _next(self, *, later: bool) -> WriteTurn | None:
        for uid, waits_longer in self._waiting.items():
            if waits_longer is later and uid not in self._under_way:
                return WriteTurn(uid=uid, later=later)
        return None
