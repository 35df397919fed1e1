"""How long a server may take: pauses between attempts, `Retry-After`, time to answer, and the minimum rate of a body.

Limits are stricter while another server can be tried. Pure, except for the waiting.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from podwright.runtime.config import RegistrySettings
from podwright.runtime.registry.failure import HostFailure

BUSY_PAUSES_S = (0.1, 0.3, 1.0, 3.0)
BROKEN_PAUSES_S = (0.05,)
PAUSES_S = {408: BUSY_PAUSES_S, 429: BUSY_PAUSES_S, **dict.fromkeys((500, 502, 503, 504), BROKEN_PAUSES_S)}
WAIT_S = 30.0  # the longest `Retry-After` to wait for; longer ones are reported in the failure
IMPATIENT_WAIT_S = 3.0
RATE_WINDOW_S = 10.0


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """The limits for one server.

    `answer_s` is the time for a request until its body begins, including retries and credentials (None: no limit).
    `wait_s` is the longest pause that the server may ask for. `floor_bytes_s` is the minimum rate of bodies (0: any).
    """

    answer_s: float | None = None
    wait_s: float = WAIT_S
    floor_bytes_s: int = 0
    window_s: float = RATE_WINDOW_S

    def pace(self) -> DownloadPace:
        """The rate check for one body."""
        return DownloadPace(self.floor_bytes_s, self.window_s)


LAST = Patience()


def with_others(settings: RegistrySettings) -> Patience:
    """The limits for a server after which another one can be tried."""
    return Patience(
        answer_s=settings.mirror_timeout_s,
        wait_s=IMPATIENT_WAIT_S,
        floor_bytes_s=settings.mirror_min_rate_bytes_s,
        window_s=RATE_WINDOW_S,
    )


class DownloadPace:
    """Whether a body arrives fast enough.

    Only time spent waiting counts, because a slow local disk is not its fault.
    """

    def __init__(self, floor_bytes_s: int, window_s: float) -> None:
        self.floor_bytes_s = floor_bytes_s
        self._window_s = window_s
        self._waited_s = 0.0
        self._bytes = 0

    @property
    def remaining_s(self) -> float | None:
        """How long to wait for data before `is_too_slow` must be called again. None: no limit."""
        return self._window_s - self._waited_s if self.floor_bytes_s else None

    def is_too_slow(self, came_bytes: int, waited_s: float) -> bool:
        """Count `came_bytes` that took `waited_s`, and return whether the rate is too low. Decided once per window."""
        self._bytes += came_bytes
        self._waited_s += waited_s
        if not self.floor_bytes_s or self._waited_s < self._window_s:
            return False
        slow = self._bytes < self.floor_bytes_s * self._waited_s
        self._bytes, self._waited_s = 0, 0.0
        return slow


async def pause(failure: HostFailure, count: int, patience: Patience) -> None:
    """Wait before another attempt after the `count`th failure of this kind.

    Raises the failure if a retry is pointless.
    """
    asked_s = failure.retry_after_s
    pauses = PAUSES_S.get(failure.status, ()) if asked_s is None else BUSY_PAUSES_S
    if count > len(pauses):
        raise failure
    if asked_s is not None and asked_s > patience.wait_s:
        raise failure.with_words(f"and asks to come back in {asked_s:.0f} s")
    await asyncio.sleep(max(pauses[count - 1], asked_s or 0.0))


def retry_after_s(value: str | None) -> float | None:
    """The seconds in a Retry-After header (RFC 9110, 10.2.3), a number or a date. None if it is absent or invalid."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 # rarely needed, and not small

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
