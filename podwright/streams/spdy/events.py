"""What a session tells of the bytes that it received."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer opened a stream; answer with `accept` or `reset`. Header names are in lower case."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool


@dataclass(frozen=True, slots=True)
class StreamAccepted:
    """The peer took a stream that we opened."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool


@dataclass(frozen=True, slots=True)
class HeadersReceived:
    """More headers on an open stream; Kubernetes sends none."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool


@dataclass(frozen=True, slots=True)
class DataReceived:
    """Data on an open stream; `fin` says that it is the last (then it may be empty).

    The payload is a view on the buffer that was given to `receive_data`: use or copy it before that is filled again.
    """

    stream_id: int
    payload: memoryview
    fin: bool


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The peer ended a stream in both directions; the status is a ResetStatus or a number of its own."""

    stream_id: int
    status: int


@dataclass(frozen=True, slots=True)
class PingAnswered:
    """The answer to a ping of ours."""

    ping_id: int


@dataclass(frozen=True, slots=True)
class GoAwayReceived:
    """The peer takes no more streams."""

    last_stream_id: int
    status: int


@dataclass(frozen=True, slots=True)
class WindowOpened:
    """The peer takes more on a stream; 0: perhaps on all of them."""

    stream_id: int


Event = (
    StreamOpened
    | StreamAccepted
    | HeadersReceived
    | DataReceived
    | StreamReset
    | PingAnswered
    | GoAwayReceived
    | WindowOpened
)
