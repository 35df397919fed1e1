"""One connection of ttrpc, from the client's side or the server's: bytes to events, and calls to bytes. No I/O.

A stream is one call. A unary one is a request and a response. With the flag REMOTE_OPEN the client goes on sending
data, with REMOTE_CLOSED it only receives more than one message. The server may answer both with data, and ends a
stream with a response, or with data that says REMOTE_CLOSED once the client has closed its side.

What a peer must not send is answered or ignored, as containerd's implementation does: a broken peer hurts its own
calls only.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from google.protobuf.message import DecodeError

from podwright.errors import FailedPrecondition, Internal, InvalidArgument, PodwrightError, ResourceExhausted
from podwright.ttrpc import frames
from podwright.ttrpc.frames import Frame, FrameDecoder, Oversized
from podwright.ttrpc.status import OK, code_of, error_of
from podwright.ttrpc.v1 import ttrpc_pb2 as pb

MESSAGE_LIMIT = 2000  # characters of an error's message: it has to fit a frame
LAST_STREAM = 2**32 - 1


class TtrpcRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A call that a client makes. `timeout_ns` 0 is no deadline."""

    stream: int
    service: str
    method: str
    payload: bytes
    timeout_ns: int = 0
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict)
    streaming: bool = False  # more than one message may be sent in a direction
    sends_more: bool = False  # the client's data follows


class TtrpcResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a call: what it returns, or why it failed."""

    stream: int
    payload: bytes = b""
    failure: PodwrightError | None = None


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """A message on a stream. None where there is none, but the end of the peer's side: `last`."""

    stream: int
    payload: bytes | None
    last: bool


class _CallStream(msgspec.Struct):
    unary: bool
    local_closed: bool
    remote_closed: bool


class _CallSession:
    """What both sides have: open streams, and data on them."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self._streams: dict[int, _CallStream] = {}

    def __len__(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def send_data(self, stream: int, payload: bytes | None, *, last: bool = False) -> bytes:
        """The bytes of a message on a stream. None sends the end of our side alone.

        Raises FailedPrecondition for a stream that is not open for it, and ResourceExhausted.
        """
        open_stream = self._streams.get(stream)
        if open_stream is None or open_stream.unary or open_stream.local_closed:
            raise FailedPrecondition(f"ttrpc stream {stream} is not open for data")
        flags = (frames.REMOTE_CLOSED if last else 0) | (frames.NO_DATA if payload is None else 0)
        sent = frames.encode(Frame(stream=stream, kind=frames.DATA, flags=flags, data=payload or b""))
        if last:
            open_stream.local_closed = True
            self._forget_finished(stream)
        return sent

    def _take_data(self, frame: Frame) -> Data | None:
        """Data of the peer. None for what belongs to no open stream."""
        open_stream = self._streams.get(frame.stream)
        if open_stream is None or open_stream.unary or open_stream.remote_closed:
            return None
        last = bool(frame.flags & frames.REMOTE_CLOSED)
        if last:
            open_stream.remote_closed = True
            self._forget_finished(frame.stream)
        return Data(stream=frame.stream, payload=None if frame.flags & frames.NO_DATA else frame.data, last=last)

    def _forget_finished(self, stream: int) -> None:
        open_stream = self._streams[stream]
        if open_stream.local_closed and open_stream.remote_closed:
            del self._streams[stream]


class ClientSession(_CallSession):
    """The side that connected: it makes calls."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 1

    def call(self, request: TtrpcRequest) -> bytes:
        """The bytes of a request on a stream that `new_stream` gave. Raises ResourceExhausted."""
        flags = 0
        if request.streaming:
            flags = frames.REMOTE_OPEN if request.sends_more else frames.REMOTE_CLOSED
        message = pb.Request(
            service=request.service,
            method=request.method,
            payload=request.payload,
            timeout_nano=request.timeout_ns,
            metadata=[pb.KeyValue(key=key, value=value) for key, value in request.metadata.items()],
        )
        data = message.SerializeToString()
        sent = frames.encode(Frame(stream=request.stream, kind=frames.REQUEST, flags=flags, data=data))
        self._streams[request.stream] = _CallStream(
            unary=not request.streaming, local_closed=not request.sends_more, remote_closed=False
        )
        return sent

    def new_stream(self) -> int:
        """A number for the next call. Raises ResourceExhausted when all have been used: connect anew then."""
        if self._next > LAST_STREAM:
            raise ResourceExhausted("this ttrpc connection has used all stream numbers")
        self._next += 2
        return self._next - 2

    def give_up(self, stream: int) -> None:
        """Nobody waits for this call any more. What still comes of it is ignored. The protocol has no reset."""
        self._streams.pop(stream, None)

    def receive(self, data: bytes) -> list[TtrpcResponse | Data]:
        """What the server sent. Frames of no open stream are ignored."""
        events = (self._event(frame) for frame in self._decoder.feed(data))
        return [event for event in events if event is not None]

    def _event(self, frame: Frame | Oversized) -> TtrpcResponse | Data | None:
        if isinstance(frame, Oversized):
            if self._streams.pop(frame.stream, None) is None:
                return None
            message = f"the answer has {frame.length} bytes, more than {frames.DATA_LIMIT_BYTES}"
            return TtrpcResponse(stream=frame.stream, failure=ResourceExhausted(message))
        if frame.kind == frames.DATA:
            return self._take_data(frame)
        if frame.kind != frames.RESPONSE or self._streams.pop(frame.stream, None) is None:
            return None
        return _read_response(frame)


def _read_response(frame: Frame) -> TtrpcResponse:
    try:
        message = pb.Response.FromString(frame.data)
    except DecodeError:
        return TtrpcResponse(stream=frame.stream, failure=Internal("the answer is not a ttrpc response"))
    if message.status.code != OK:
        return TtrpcResponse(stream=frame.stream, failure=error_of(message.status.code, message.status.message))
    return TtrpcResponse(stream=frame.stream, payload=message.payload)


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is answered already, with `reply`: it broke the protocol."""

    reply: bytes


class ServerSession(_CallSession):
    """The side that accepted: it answers calls."""

    def __init__(self) -> None:
        super().__init__()
        self._last = 0

    def respond(self, stream: int, payload: bytes) -> bytes:
        """The bytes of the end of a call. Empty when the call is over already. Raises ResourceExhausted."""
        reply = _response(stream, pb.Response(payload=payload))
        return b"" if self._streams.pop(stream, None) is None else reply

    def fail(self, stream: int, failure: PodwrightError) -> bytes:
        """The bytes of the end of a call that failed. Empty when the call is over already."""
        return b"" if self._streams.pop(stream, None) is None else _refusal(stream, failure)

    def receive(self, data: bytes) -> list[TtrpcRequest | Data | Refused]:
        """What the client sent."""
        events = (self._event(frame) for frame in self._decoder.feed(data))
        return [event for event in events if event is not None]

    def _event(self, frame: Frame | Oversized) -> TtrpcRequest | Data | Refused | None:
        if frame.kind == frames.DATA and isinstance(frame, Frame):
            return self._take_data(frame)
        if frame.kind != frames.REQUEST:
            return None
        if isinstance(frame, Oversized):
            message = f"the request has {frame.length} bytes, more than {frames.DATA_LIMIT_BYTES}"
            return Refused(reply=_refusal(frame.stream, ResourceExhausted(message)))
        try:
            return self._begin(frame)
        except InvalidArgument as refused:
            return Refused(reply=_refusal(frame.stream, refused))

    def _begin(self, frame: Frame) -> TtrpcRequest:
        """Raises InvalidArgument."""
        if frame.stream % 2 == 0 or frame.stream <= self._last:
            raise InvalidArgument(f"stream {frame.stream} does not follow {self._last}: a new one is odd and greater")
        self._last = frame.stream
        try:
            message = pb.Request.FromString(frame.data)
        except DecodeError as broken:
            raise InvalidArgument("the request is not a ttrpc request") from broken
        sends_more = bool(frame.flags & frames.REMOTE_OPEN)
        streaming = sends_more or bool(frame.flags & frames.REMOTE_CLOSED)
        self._streams[frame.stream] = _CallStream(
            unary=not streaming, local_closed=False, remote_closed=not sends_more
        )
        return TtrpcRequest(
            stream=frame.stream,
            service=message.service,
            method=message.method,
            payload=message.payload,
            timeout_ns=max(0, message.timeout_nano),
            metadata={pair.key: pair.value for pair in message.metadata},
            streaming=streaming,
            sends_more=sends_more,
        )


def _response(stream: int, message: pb.Response) -> bytes:
    return frames.encode(Frame(stream=stream, kind=frames.RESPONSE, data=message.SerializeToString()))


def _refusal(stream: int, failure: PodwrightError) -> bytes:
    status = pb.Status(code=code_of(failure), message=str(failure)[:MESSAGE_LIMIT])
    return _response(stream, pb.Response(status=status))
