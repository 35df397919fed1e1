"""Faults that tests inject. A fault waits for a request that fits it, and is used up after `times` of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Ailment(Enum):
    """The kinds of faults, by what the server does with the request."""

    HANG = "takes the request and never answers; a watch is answered and stays silent"
    REFUSE = "answers with `code`"
    GARBAGE = "answers with what is no JSON"
    RESET = "closes the connection without an answer, a watch after `after` events"
    CUT = "closes a watch in the middle of the event after `after` events"
    END = "ends a watch in order after `after` events"
    DOUBLE = "sends every event of a watch twice"
    REPLAY = "sends the first event of a watch again after `after` more"
    BAD_EVENT = "sends what is no event after `after` events"
    EXPIRE = "says that the watch's version is too old, after `after` events"
    SLOW = "answers after `delay_s`"


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault for requests of `method` (any if empty) with `path` in their path. `watches` None means any."""

    ailment: Ailment
    path: str = ""
    method: str = ""
    watches: bool | None = None
    times: int = 1
    code: int = 500
    retry_after_s: int = 0
    after: int = 0
    delay_s: float = 0.0
    body: bytes = b""

    def fits(self, method: str, path: str, *, watch: bool) -> bool:
        """Whether it is meant for such a request."""
        return (
            self.times > 0
            and self.method in ("", method)
            and self.path in path
            and (self.watches is None or self.watches is watch)
        )


class Faults:
    """Those that wait."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Wait for a request; the fault, whose `times` tells whether it was used."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """All is well."""
        self._faults.clear()

    def take(self, method: str, path: str, *, watch: bool) -> Fault | None:
        """The first one that fits, once less from now on."""
        return _first(fault for fault in self._faults if fault.fits(method, path, watch=watch))


def _first(faults: Iterable[Fault]) -> Fault | None:
    for fault in faults:
        fault.times -= 1
        return fault
    return None
