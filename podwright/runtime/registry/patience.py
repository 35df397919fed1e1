"""How long a server may take: pauses before another try, `Retry-After`, time to answer, and the least rate of a body.

While another server could be asked instead, we are less patient than with the last one. Pure, but for the waiting.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from podwright.runtime.config import RegistrySettings
from podwright.runtime.registry.failure import HostFailure

BUSY_PAUSES_S = (0.1, 0.3, 1.0, 3.0)
BROKEN_PAUSES_S = (0.05,)
PAUSES_S = {408: BUSY_PAUSES_S, 429: BUSY_PAUSES_S, **dict.fromkeys((500, 502, 503, 504), BROKEN_PAUSES_S)}
WAIT_S = 30.0  # the longest `Retry-After` that is waited out; whoever asks for more is told of, and asked later
IMPATIENT_WAIT_S = 3.0
RATE_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """With one server: `answer_s` for a request until its body begins, tries and credentials included (None: no end),
    `wait_s` for the longest pause that it may ask for, `floor_bytes_s` for the rate of its bodies (0: any).
    """

    answer_s: float | None = None
    wait_s: float = WAIT_S
    floor_bytes_s: int = 0
    window_s: float = RATE_WINDOW_S

    def pace(self) -> DownloadPace:
        """For one body."""
        return DownloadPace(self.floor_bytes_s, self.window_s)


LAST = Patience()


def with_others(settings: RegistrySettings) -> Patience:
    """With a server after which another one can be asked."""
    return Patience(
        answer_s=settings.mirror_timeout_s,
        wait_s=IMPATIENT_WAIT_S,
        floor_bytes_s=settings.mirror_min_rate_bytes_s,
        window_s=RATE_WINDOW_S,
    )


class DownloadPace:
    """Whether a body comes fast enough. Only time spent waiting counts: our slow disk is not the server's fault."""

    def __init__(self, floor_bytes_s: int, window_s: float) -> None:
        self.floor_bytes_s = floor_bytes_s
        self._window_s = window_s
        self._waited_s = 0.0
        self._bytes = 0

    @property
    def remaining_s(self) -> float | None:
        """How long to wait for more before `is_too_slow` has to be asked again; None: as long as it takes."""
        return self._window_s - self._waited_s if self.floor_bytes_s else None

    def is_too_slow(self, came_bytes: int, waited_s: float) -> bool:
        """After so much more came in so much more time; decided once per window."""
        self._bytes += came_bytes
        self._waited_s += waited_s
        if not self.floor_bytes_s or self._waited_s < self._window_s:
            return False
        slow = self._bytes < self.floor_bytes_s * self._waited_s
        self._bytes, self._waited_s = 0, 0.0
        return slow


async def pause(failure: HostFailure, count: int, patience: Patience) -> None:
    """Wait until it makes sense to try again after the `count`th failure of this kind; raises it when it does not."""
    asked_s = failure.retry_after_s
    pauses = PAUSES_S.get(failure.status, ()) if asked_s is None else BUSY_PAUSES_S
    if count > len(pauses):
        raise failure
    if asked_s is not None and asked_s > patience.wait_s:
        raise failure.with_words(f"and asks to come back in {asked_s:.0f} s")
    await asyncio.sleep(max(pauses[count - 1], asked_s or 0.0))


def retry_after_s(value: str | None) -> float | None:
    """Seconds to wait, from a Retry-After header (RFC 9110, 10.2.3): a number or a date. None: it says nothing."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 # rarely needed, and not small

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
