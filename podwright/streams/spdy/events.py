"""The events of a session."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class StreamOpened(msgspec.Struct, frozen=True):
    """The peer opened a stream. Answer with `accept` or `reset`. Header names are in lower case."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool


class StreamAccepted(msgspec.Struct, frozen=True):
    """The peer accepted a stream that we opened."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool


class HeadersReceived(msgspec.Struct, frozen=True):
    """More headers on an open stream. Kubernetes sends none."""

    stream_id: int
    headers: Mapping[str, str]
    fin: bool


class DataReceived(msgspec.Struct, frozen=True):
    """Data on an open stream. `fin`: it is the last, and may be empty.

    The payload is a view of the buffer passed to `receive_data`: use or copy it before reusing the buffer.
    """

    stream_id: int
    payload: memoryview
    fin: bool


class StreamReset(msgspec.Struct, frozen=True):
    """The peer ended a stream in both directions. The status is a ResetStatus or another number."""

    stream_id: int
    status: int


class GoAwayReceived(msgspec.Struct, frozen=True):
    """The peer accepts no more streams."""

    last_stream_id: int
    status: int


class WindowOpened(msgspec.Struct, frozen=True):
    """The peer accepts more data on a stream. 0: perhaps on all streams."""

    stream_id: int


Event = StreamOpened | StreamAccepted | HeadersReceived | DataReceived | StreamReset | GoAwayReceived | WindowOpened
