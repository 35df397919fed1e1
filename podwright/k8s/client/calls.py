"""What a client says about its calls, for those who count them."""

from __future__ import annotations

from typing import Protocol

import msgspec

NO_ANSWER = "<error>"  # Go's client writes this in the place of a code


class ApiCall(msgspec.Struct, frozen=True, kw_only=True):
    """One request that has its answer, or none. `code` is HTTP's or NO_ANSWER.

    `received_bytes` is None without a whole answer. A watch counts as one when it has begun.
    """

    host: str
    method: str
    code: str
    seconds: float
    sent_bytes: int
    received_bytes: int | None = None


class CallListener(Protocol):
    """Gets each call of a client."""

    def called(self, call: ApiCall) -> None:
        """A call has ended."""

    def waited(self, host: str, method: str, seconds: float) -> None:
        """The rate limit has let a call pass, after a wait or at once."""

    def repeated(self, host: str, method: str, code: str) -> None:
        """A call is sent again, since the server has asked for it with `code`."""


class NoListener:
    """A `CallListener` that nobody asks."""

    def called(self, call: ApiCall) -> None:
        pass

    def waited(self, host: str, method: str, seconds: float) -> None:
        pass

    def repeated(self, host: str, method: str, code: str) -> None:
        pass
