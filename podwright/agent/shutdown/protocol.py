"""What tells that the machine shuts down, and can be made to wait."""

from __future__ import annotations

from typing import Protocol


class LoginManager(Protocol):
    """logind, or a test's own. All calls raise Unavailable or DeadlineExceeded when it does not answer, or is gone."""

    async def longest_delay_s(self) -> float:
        """How long a shutdown waits for us at most (InhibitDelayMaxSec)."""

    async def delay_shutdown(self) -> int:
        """Have the next shutdown wait. A file descriptor, which the caller closes when the machine may go."""

    async def allow_delay(self, seconds: int) -> None:
        """Have logind wait for so long, if asked to. It takes effect some time after. Raises OSError too."""

    async def next_shutdown(self) -> bool:
        """Wait for news: true when the machine shuts down, false when that was called off."""

    async def close(self) -> None:
        """Hang up."""
