"""How one server failed, and which failure of several to tell. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from podwright import errors

MESSAGE_LIMIT = 1000


class Rank(IntEnum):
    """How far a request got; the furthest failure is the one worth telling."""

    UNREACHABLE = 0  # no connection
    UNAVAILABLE = 1  # it stalled, broke off, or answered 429 or 5xx
    GARBAGE = 2  # it answered something else than was asked for
    DENIED = 3
    MISSING = 4


def shown(text: str, limit: int = 200) -> str:
    """Words of a server for one line of a log or a message."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:limit])


class HostFailure(Exception):
    """One server failed; the next may be tried. `message` names the server, `status` is HTTP's, if it came to that.

    `retry_after_s` is when the server wants to be asked again, if it said so.
    """

    def __init__(self, rank: Rank, message: str, *, status: int = 0, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.rank = rank
        self.message = shown(message, MESSAGE_LIMIT)
        self.status = status
        self.retry_after_s = retry_after_s

    def with_words(self, words: str) -> HostFailure:
        """The same with more to say."""
        return HostFailure(self.rank, f"{self.message}, {words}", status=self.status, retry_after_s=self.retry_after_s)


ERRORS: dict[Rank, type[errors.PodwrightError]] = {
    Rank.UNREACHABLE: errors.Unknown,
    Rank.UNAVAILABLE: errors.Unknown,
    Rank.GARBAGE: errors.FailedPrecondition,
    Rank.DENIED: errors.PermissionDenied,
    Rank.MISSING: errors.NotFound,
}


def summary(what: str, failures: Sequence[HostFailure]) -> errors.PodwrightError:
    """The error for `what` after every server failed, in the order in which they were tried."""
    worst = max(failures, key=lambda failure: failure.rank)
    others = [failure.message for failure in failures if failure is not worst]
    text = f"cannot get {what}: " + "; ".join(dict.fromkeys([worst.message, *others]))
    kind = ERRORS[worst.rank]
    # CRI's sentinel has to be the start of the message, under the code UNKNOWN.
    return kind(f"RegistryUnavailable: {text}") if kind is errors.Unknown else kind(text)
