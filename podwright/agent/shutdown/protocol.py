"""The interface to what signals a shutdown of the machine and can delay it."""

from __future__ import annotations

from typing import Protocol


class LoginManager(Protocol):
    """logind, or a fake in tests.

    All calls raise Unavailable or DeadlineExceeded if it does not answer, or is gone.
    """

    async def longest_delay_s(self) -> float:
        """The most seconds that a shutdown waits for us (InhibitDelayMaxSec)."""

    async def delay_shutdown(self) -> int:
        """Delay the next shutdown. Returns a file descriptor, which the caller closes to let the machine shut down."""

    async def allow_delay(self, seconds: int) -> None:
        """Let a shutdown be delayed for that long. This takes effect some time later. Also raises OSError."""

    async def next_shutdown(self) -> bool:
        """Wait for the next signal. Returns True if the machine shuts down, and False if that was cancelled."""

    async def close(self) -> None:
        """Close the connection."""
