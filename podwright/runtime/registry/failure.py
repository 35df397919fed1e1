"""Failures of servers, and which of several failures to report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from podwright import errors

MESSAGE_LIMIT = 1000


class Rank(IntEnum):
    """How far a request got. The failure that got furthest is reported."""

    UNREACHABLE = 0  # no connection
    UNAVAILABLE = 1  # it stalled, closed the connection, or answered 429 or 5xx
    GARBAGE = 2  # it sent other content than requested
    DENIED = 3
    MISSING = 4


def shown(text: str, limit: int = 200) -> str:
    """A server's text, shortened to one line for a log or a message."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:limit])


class HostFailure(Exception):
    """A server failed, and the next may be tried. `message` names the server. `status` is the HTTP status, if any.

    `retry_after_s` is the server's Retry-After, if any.
    """

    def __init__(self, rank: Rank, message: str, *, status: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.rank = rank
        self.message = shown(message, MESSAGE_LIMIT)
        self.status = status
        self.retry_after_s = retry_after_s

    def with_words(self, words: str) -> HostFailure:
        """The same failure with an addition to its message."""
        return HostFailure(self.rank, f"{self.message}, {words}", status=self.status, retry_after_s=self.retry_after_s)


ERRORS: dict[Rank, type[errors.PodwrightError]] = {
    Rank.UNREACHABLE: errors.Unknown,
    Rank.UNAVAILABLE: errors.Unknown,
    Rank.GARBAGE: errors.FailedPrecondition,
    Rank.DENIED: errors.PermissionDenied,
    Rank.MISSING: errors.NotFound,
}


def summary(what: str, failures: Sequence[HostFailure]) -> errors.PodwrightError:
    """The error for `what` after all servers failed, in the order of the attempts."""
    worst = max(failures, key=lambda failure: failure.rank)
    others = [failure.message for failure in failures if failure is not worst]
    text = f"cannot get {what}: " + "; ".join(dict.fromkeys([worst.message, *others]))
    kind = ERRORS[worst.rank]
    # CRI's sentinel must start the message, with the code UNKNOWN.
    return kind(f"RegistryUnavailable: {text}") if kind is errors.Unknown else kind(text)
