"""URLs that work once: a token stands for a request until its client comes, for one minute at most.

The number is limited, so callers whose clients never come cost little. Time is the caller's clock, in seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Generic, TypeVar

from podwright.errors import ResourceExhausted

PENDING_LIMIT = 1000
TIME_TO_LIVE_S = 60.0
TOKEN_BYTES = 16  # of randomness, because a guessed token gives access to a container

Request = TypeVar("Request")


class Tokens(Generic[Request]):
    """The requests that wait for their clients, oldest first."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._pending: dict[str, tuple[float, Request]] = {}  # token -> expiry, request

    def add(self, request: Request) -> str:
        """A new token. Raises ResourceExhausted if too many are pending."""
        self._drop_expired()
        if len(self._pending) >= PENDING_LIMIT:
            raise ResourceExhausted(
                f"{PENDING_LIMIT} streaming URLs are pending", hint="connect to them, or wait a minute"
            )
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._pending[token] = (self._now() + TIME_TO_LIVE_S, request)
        return token

    def take(self, token: str) -> Request | None:
        """The request of the token. Works once. None if the token is unknown, used or expired."""
        self._drop_expired()
        _, request = self._pending.pop(token, (0.0, None))
        return request

    def _drop_expired(self) -> None:
        now = self._now()
        for token, (expires_at, _) in list(self._pending.items()):
            if expires_at > now:
                return
            del self._pending[token]
