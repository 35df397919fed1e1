"""Waits that grow with each failure: for containers that crash, and images that cannot be pulled.

As in the kubelet (client-go's flowcontrol.Backoff) the wait doubles each time, up to a longest one. A key that had no
failure for twice the longest wait starts again. Times are nanoseconds since the epoch, like a container's end.
"""

from __future__ import annotations

import msgspec

SECOND_NS = 10**9


class _BackoffEntry(msgspec.Struct, frozen=True):
    wait_s: float
    updated_ns: int


class KeyedBackoff:
    """The waits by key."""

    def __init__(self, first_s: float = 10.0, longest_s: float = 300.0) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._entries: dict[str, _BackoffEntry] = {}

    def until_ns(self, key: str, since_ns: int, now_ns: int) -> int:
        """The end of the wait that began at `since_ns` (the last failure). At most `now_ns` if there is no wait.

        A failure in the future is from before the clock was set back. The wait must not last until the clock is there
        again.
        """
        entry = self._entries.get(key)
        if entry is None or self._has_expired(entry, since_ns) or since_ns > now_ns:
            return min(since_ns, now_ns)
        return since_ns + int(entry.wait_s * SECOND_NS)

    def next(self, key: str, since_ns: int, now_ns: int) -> None:
        """Note a try after the failure at `since_ns`: the next wait is longer."""
        entry = self._entries.get(key)
        if entry is None or self._has_expired(entry, since_ns):
            wait_s = self._first_s
        else:
            wait_s = min(2 * entry.wait_s, self._longest_s)
        self._entries[key] = _BackoffEntry(wait_s, now_ns)

    def forget(self, key: str) -> None:
        """Forget the failures of the key."""
        self._entries.pop(key, None)

    def prune(self, now_ns: int) -> None:
        """Drop the keys that would start again anyway, and those from before the clock was set back."""
        self._entries = {key: entry for key, entry in self._entries.items() if not self._has_expired(entry, now_ns)}

    def _has_expired(self, entry: _BackoffEntry, now_ns: int) -> bool:
        return abs(now_ns - entry.updated_ns) > 2 * self._longest_s * SECOND_NS
