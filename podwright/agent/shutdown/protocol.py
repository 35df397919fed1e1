"""What signals a shutdown of the machine, and can delay it."""

from __future__ import annotations

from typing import Protocol


class LoginManager(Protocol):
    """logind, or a test's own. All calls raise Unavailable or DeadlineExceeded when it does not answer, or is gone."""

    async def longest_delay_s(self) -> float:
        """How long a shutdown waits for us at most (InhibitDelayMaxSec)."""

    async def delay_shutdown(self) -> int:
        """Delay the next shutdown. Returns a file descriptor, which the caller closes to let the machine shut down."""

    async def allow_delay(self, seconds: int) -> None:
        """Let a shutdown be delayed for that long. It takes effect some time after. Raises OSError too."""

    async def next_shutdown(self) -> bool:
        """Wait for the next signal: true when the machine shuts down, false when that was cancelled."""

    async def close(self) -> None:
        """Close the connection."""
