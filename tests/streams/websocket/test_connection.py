"""WebSocket frames: messages come back however they are cut, and what breaks the protocol ends the connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from podwright.errors import FailedPrecondition
from podwright.streams.websocket.connection import (
    CLIENT,
    FRAME_LIMIT_BYTES,
    SERVER,
    Closed,
    Event,
    Piece,
    WebSocket,
    WebSocketError,
)
from tests.streams.splits import pieces


def masked(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    """A client's frame."""
    return Frame(opcode, payload, fin).serialize(mask=True)


def events(socket: WebSocket, *fed: bytes) -> list[Event]:
    return [event for data in fed for event in socket.receive_data(data)]


def messages(heard: list[Event]) -> list[bytes]:
    """Pieces put together."""
    whole: list[bytearray] = []
    for event in heard:
        if isinstance(event, Piece):
            if event.first:
                whole.append(bytearray())
            whole[-1] += event.payload
    return [bytes(each) for each in whole]


@given(data=st.data(), sent=st.lists(st.binary(max_size=400), max_size=8), from_client=st.booleans())
def test_any_split_gives_the_same_messages(data: st.DataObject, sent: list[bytes], from_client: bool) -> None:
    sender, receiver = WebSocket(CLIENT if from_client else SERVER), WebSocket(SERVER if from_client else CLIENT)
    stream = b"".join(sender.send_message(each, text=False) for each in sent)
    assert messages(events(receiver, *data.draw(pieces(stream)))) == sent
    assert receiver.take_answers() == b""


@given(data=st.data(), parts=st.lists(st.binary(max_size=100), min_size=1, max_size=6), pings=st.booleans())
def test_a_message_in_many_frames_comes_frame_by_frame(data: st.DataObject, parts: list[bytes], pings: bool) -> None:
    said = b""
    for index, part in enumerate(parts):
        said += masked(Opcode.CONT if index else Opcode.BINARY, part, fin=index == len(parts) - 1)
        said += masked(Opcode.PING, b"?") if pings else b""
    socket = WebSocket(SERVER)
    heard = events(socket, *data.draw(pieces(said)))
    assert [bytes(event.payload) for event in heard if isinstance(event, Piece)] == parts
    assert [event.first for event in heard if isinstance(event, Piece)] == [True] + [False] * (len(parts) - 1)
    assert [event.last for event in heard if isinstance(event, Piece)] == [False] * (len(parts) - 1) + [True]
    assert socket.take_answers() == Frame(Opcode.PONG, b"?").serialize(mask=False) * (len(parts) if pings else 0)


@given(data=st.data(), garbage=st.binary(max_size=300), side=st.sampled_from([CLIENT, SERVER]))
def test_garbage_is_events_or_an_error(data: st.DataObject, garbage: bytes, side: object) -> None:
    socket = WebSocket(side)  # type: ignore[arg-type] # hypothesis gives an object
    try:
        events(socket, *data.draw(pieces(garbage)))
    except WebSocketError:
        assert socket.take_answers()  # says goodbye


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(Frame(Opcode.BINARY, b"x").serialize(mask=False), id="a client that does not mask"),
        pytest.param(bytes.fromhex("82ff7fffffffffffffff"), id="a frame of 8 EiB"),
        pytest.param(b"\x82\xff" + (FRAME_LIMIT_BYTES + 1).to_bytes(8), id="a frame over the limit"),
        pytest.param(b"\x89\xfe" + (126).to_bytes(2) + bytes(4 + 126), id="a long ping"),
        pytest.param(masked(Opcode.CONT, b"x"), id="the middle of no message"),
        pytest.param(masked(Opcode.BINARY, b"x", fin=False) + masked(Opcode.BINARY, b"y"), id="a message in another"),
        pytest.param(b"\xc2\x80" + bytes(4), id="a compressed frame"),
        pytest.param(b"\x83\x80" + bytes(4), id="an opcode that nobody has"),
        pytest.param(masked(Opcode.CLOSE, b"\x03"), id="half a close code"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(said: bytes) -> None:
    socket = WebSocket(SERVER)
    with pytest.raises(WebSocketError):
        events(socket, said)
    assert socket.take_answers()
    assert socket.close() == b""


def test_a_frame_at_the_limit() -> None:
    whole = masked(Opcode.BINARY, bytes(FRAME_LIMIT_BYTES))
    assert messages(events(WebSocket(SERVER), whole)) == [bytes(FRAME_LIMIT_BYTES)]


def test_goodbyes() -> None:
    client, server = WebSocket(CLIENT), WebSocket(SERVER)
    assert events(server, client.close(1000, "done")) == [Closed(1000, "done")]
    assert events(client, server.take_answers()) == [Closed(1000, "done")]
    for socket in (client, server):
        assert socket.close() == b""
        with pytest.raises(FailedPrecondition):
            socket.send_message(b"too late")


def test_a_long_reason_is_cut_between_characters() -> None:
    (heard,) = events(WebSocket(CLIENT), WebSocket(SERVER).close(1011, "ä" * 200))
    assert heard == Closed(1011, "ä" * 61)


def test_pings_are_answered() -> None:
    client, server = WebSocket(CLIENT), WebSocket(SERVER)
    assert events(server, masked(Opcode.PING, b"are you there")) == []
    answered = server.take_answers()
    assert answered == Frame(Opcode.PONG, b"are you there").serialize(mask=False)
    assert events(client, answered) == []
