"""Port-forward's streams: pairs of a data and an error stream on SPDY, two channels per port on a WebSocket."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import msgspec

from podwright.streams.errors import ProtocolError

PROTOCOL = "portforward.k8s.io"
STREAM_TYPE_HEADER = "streamtype"
PORT_HEADER = "port"
REQUEST_ID_HEADER = "requestid"
PENDING_LIMIT = 1000


class ForwardStreamType(enum.StrEnum):
    """The streams of a pair."""

    DATA = "data"
    ERROR = "error"


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """The two streams of one forwarded connection."""

    request_id: str
    port: int
    data_stream_id: int
    error_stream_id: int


class StreamRefused(ProtocolError):
    """This stream cannot be part of a pair. Reset it. The connection continues."""


def stream_headers(stream_type: ForwardStreamType, port: int, request_id: str) -> dict[str, str]:
    """The headers with which a client opens a stream. It opens the error stream first."""
    return {STREAM_TYPE_HEADER: stream_type.value, PORT_HEADER: str(port), REQUEST_ID_HEADER: request_id}


class _Half(msgspec.Struct, frozen=True, kw_only=True):
    stream_type: ForwardStreamType
    port: int
    stream_id: int


class Pairing:
    """Finds pairs among the streams that a client opens. The caller gives up incomplete pairs."""

    def __init__(self) -> None:
        self._halves: dict[str, _Half] = {}

    def add(self, stream_id: int, headers: Mapping[str, str]) -> Pair | None:
        """The pair that this stream completes, or None. Raises StreamRefused."""
        half = _half(stream_id, headers)
        request_id = headers.get(REQUEST_ID_HEADER) or _implied_request_id(half)
        other = self._halves.get(request_id)
        if other is None:
            if len(self._halves) >= PENDING_LIMIT:
                raise StreamRefused(f"more than {PENDING_LIMIT} streams wait for their other half")
            self._halves[request_id] = half
            return None
        if other.stream_type is half.stream_type or other.port != half.port:
            raise StreamRefused(f"request {request_id!r} has two {half.stream_type} streams, or two ports")
        del self._halves[request_id]
        data, error = (half, other) if half.stream_type is ForwardStreamType.DATA else (other, half)
        return Pair(
            request_id=request_id, port=data.port, data_stream_id=data.stream_id, error_stream_id=error.stream_id
        )

    def is_alone(self, stream_id: int) -> bool:
        """Whether the stream still waits for its other half."""
        return any(half.stream_id == stream_id for half in self._halves.values())

    def forget(self, stream_id: int) -> None:
        """The stream is gone. Ignored unless it is in an incomplete pair."""
        for request_id, half in list(self._halves.items()):
            if half.stream_id == stream_id:
                del self._halves[request_id]


def _half(stream_id: int, headers: Mapping[str, str]) -> _Half:
    try:
        stream_type = ForwardStreamType(headers.get(STREAM_TYPE_HEADER, ""))
    except ValueError:
        raise StreamRefused(f"a port-forward has no {headers.get(STREAM_TYPE_HEADER)!r} streams") from None
    return _Half(stream_type=stream_type, port=parse_port(headers.get(PORT_HEADER, "")), stream_id=stream_id)


def _implied_request_id(half: _Half) -> str:
    """Old clients have no request id: their data stream follows its error stream, whose stream id identifies both."""
    return str(half.stream_id if half.stream_type is ForwardStreamType.ERROR else half.stream_id - 2)


def parse_port(text: str) -> int:
    """A port from 1 to 65535. Raises StreamRefused."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise StreamRefused(f"{text[:16]!r} is not a port (1 to 65535)")
    return int(text)


# -- on a WebSocket, channel 2i carries the data of port i, 2i+1 its errors, and each starts with its port


def data_channel(index: int) -> int:
    """The channel for the data of the port at this index of the request."""
    return 2 * index


def error_channel(index: int) -> int:
    """The channel for the failure of that port."""
    return 2 * index + 1


def pack_port(port: int) -> bytes:
    """The server's first message on each of a port's channels."""
    return port.to_bytes(2, "little")


def check_ports(ports: Sequence[int]) -> None:
    """Check that there are enough channel numbers. Raises ProtocolError."""
    if len(ports) > 127:
        raise ProtocolError("a WebSocket has channels for 127 ports at most")
