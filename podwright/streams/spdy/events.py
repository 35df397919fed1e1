"""The events of a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer opened a stream. Answer with `accept` or `reset`. Header names are in lower case."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool


@dataclass(frozen=True, slots=True)
class StreamAccepted:
    """The peer accepted a stream that we opened."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool


@dataclass(frozen=True, slots=True)
class HeadersReceived:
    """More headers on an open stream. Kubernetes sends none."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool


@dataclass(frozen=True, slots=True)
class DataReceived:
    """Data on an open stream. `fin`: it is the last, and may be empty.

    The payload is a view of the buffer passed to `receive_data`: use or copy it before reusing the buffer.
    """

    stream_id: int
    payload: memoryview
    fin: bool


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The peer ended a stream in both directions. The status is a ResetStatus or another number."""

    stream_id: int
    status: int


@dataclass(frozen=True, slots=True)
class PingAnswered:
    """The answer to a ping of ours."""

    ping_id: int


@dataclass(frozen=True, slots=True)
class GoAwayReceived:
    """The peer accepts no more streams."""

    last_stream_id: int
    status: int


@dataclass(frozen=True, slots=True)
class WindowOpened:
    """The peer accepts more data on a stream. 0: perhaps on all streams."""

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
