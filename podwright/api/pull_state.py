"""The progress of one pull for people: what WatchPulls reports, and the rate computed from it. Pure.

Used by the CLI and the agent, with and without a runtime that reports progress. Imports nothing heavy.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from podwright.api.v1.pulls_pb2 import PullProgress

RATE_WINDOW = 50  # looks: five seconds and more
STAGES = ("resolving", "downloading", "unpacking", "done", "failed")  # as PullStage counts them
ENDED = STAGES[3:]


class PullState(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of one pull. While it is "resolving", bytes and layers are unknown.

    `stage` is resolving, downloading, unpacking, done or failed. `layers_done` counts unpacked layers. `rate_bytes_s`
    is the rate of the last seconds, 0 before the first data. `began_at` is in nanoseconds since the epoch.
    """

    reference: str
    stage: str
    began_at: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    layers_done: int = 0
    layers: int = 0
    rate_bytes_s: float = 0.0
    error: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """Identifies the pull, because one image may be pulled more than once."""
        return self.reference, self.began_at


class PullMeter:
    """Turns messages about one pull into states. Data that existed at the beginning does not count for the rate."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque(maxlen=RATE_WINDOW)

    def state(self, message: PullProgress, now_s: float) -> PullState:
        """The state at `now_s`, on any clock that only goes forward."""
        done = sum(layer.done_bytes for layer in message.layers)
        if message.layers:
            self._looks.append((now_s, done))
        return PullState(
            reference=message.reference,
            stage=STAGES[message.stage] if message.stage < len(STAGES) else "going on",
            began_at=message.began_at,
            done_bytes=done,
            total_bytes=sum(layer.total_bytes for layer in message.layers),
            layers_done=sum(layer.unpacked for layer in message.layers),
            layers=len(message.layers),
            rate_bytes_s=self._rate(),
            error=message.error,
        )

    def _rate(self) -> float:
        if len(self._looks) < 2:
            return 0.0
        (first_s, first_bytes), (last_s, last_bytes) = self._looks[0], self._looks[-1]
        return max(0, last_bytes - first_bytes) / (last_s - first_s) if last_s > first_s else 0.0


def describe_pull(state: PullState) -> str:
    """A state in one line: `downloading, 120.5 of 300.0 MB, 30.1 MB/s, 2 of 6 layers`."""
    parts = [state.stage]
    if state.layers:
        parts.append(f"{state.done_bytes / 1e6:.1f} of {state.total_bytes / 1e6:.1f} MB")
        if state.stage == "downloading" and state.rate_bytes_s:
            parts.append(f"{state.rate_bytes_s / 1e6:.1f} MB/s")
        parts.append(f"{state.layers_done} of {state.layers} layers")
    return ", ".join([*parts, *([state.error] if state.error else [])])


class Seldom:
    """Limits reports of pulls on output that keeps every line: one per `interval_s`, the first after that time."""

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._reported_at: dict[str, float] = {}

    def is_due(self, name: str) -> bool:
        """Whether to report that pull now. The first call is its beginning."""
        now = self._clock()
        if now < self._reported_at.setdefault(name, now) + self._interval_s:
            return False
        self._reported_at[name] = now
        return True

    def forget(self, name: str) -> None:
        """The pull has ended."""
        self._reported_at.pop(name, None)
