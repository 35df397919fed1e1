"""Failures of a pass that decide when the next one is due."""

from __future__ import annotations

from podwright.errors import PodwrightError


class NetworkNotReady(PodwrightError):
    """The runtime's network is not ready, so that only pods on the host's network can start."""


class BackOff(PodwrightError):
    """A container or an image waits before the next try. `until_ns` is in nanoseconds since the epoch."""

    def __init__(self, message: str, *, until_ns: int) -> None:
        super().__init__(message)
        self.until_ns = until_ns

    def seconds(self, now_ns: int) -> float:
        """What is left to wait."""
        return max(0.0, (self.until_ns - now_ns) / 1e9)
