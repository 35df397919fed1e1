"""How often the server may be asked: a token bucket, as client-go's. Pure."""

from __future__ import annotations


class TokenBucket:
    """`rate` requests a second, `burst` of them at once after a pause. A rate of 0 sets no limit."""

    def __init__(self, *, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = 0.0

    def reserve(self, now: float, patience_s: float) -> float | None:
        """Seconds to wait before the request, which has its token then. None when that is more than `patience_s`."""
        if self._rate <= 0:
            return 0.0
        elapsed = max(0.0, now - self._at)
        tokens = min(float(self._burst), self._tokens + elapsed * self._rate)
        wait = max(0.0, (1.0 - tokens) / self._rate)
        if wait > patience_s:
            return None
        self._tokens, self._at = tokens - 1.0, now
        return wait
