"""The crash-loop back-off: when a container that ended may start again. Pure; the clock is an argument.

The kubelet's numbers: the first restart is immediate, then 10 s doubling to 300 s after the end of the last
instance; ten quiet minutes forget it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

INITIAL_S = 10.0
MAX_S = 300.0
FORGET_AFTER_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffEntry:
    """One container's delay and when it was last changed (seconds since the epoch)."""

    delay_s: float
    updated_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """All delays, by container name. A value: `next` returns a new one."""

    entries: Mapping[str, BackoffEntry] = field(default_factory=dict)

    def wait_s(self, name: str, finished_s: float, now_s: float) -> float:
        """How long a container that ended at `finished_s` still has to wait; 0 means that it may start."""
        entry = self.entries.get(name)
        if entry is None or finished_s - entry.updated_s > FORGET_AFTER_S:
            return 0.0
        return max(0.0, finished_s + entry.delay_s - now_s)

    def next(self, name: str, finished_s: float, now_s: float) -> Backoff:
        """The delays after a restart at `now_s` of a container that had ended at `finished_s`."""
        entry = self.entries.get(name)
        fresh = entry is None or finished_s - entry.updated_s > FORGET_AFTER_S
        delay_s = INITIAL_S if entry is None or fresh else min(2 * entry.delay_s, MAX_S)
        return Backoff(entries={**self.entries, name: BackoffEntry(delay_s=delay_s, updated_s=now_s)})
