"""Channels: what is sent on one comes out of it, in every protocol and however frames and bytes are cut."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from podwright.streams.errors import ProtocolError
from podwright.streams.websocket.channels import (
    CLOSE_SIGNAL,
    ChannelClosed,
    ChannelData,
    ChannelReader,
    ChannelWriter,
)
from podwright.streams.websocket.connection import CLIENT, FRAME_LIMIT_BYTES, SERVER, Piece, WebSocket
from podwright.streams.websocket.handshake import ChannelProtocol, channel_protocol
from tests.streams.splits import pieces

V4, V5 = ChannelProtocol(version=4), ChannelProtocol(version=5)
BASE64 = ChannelProtocol(version=4, base64=True)
protocols = st.builds(ChannelProtocol, version=st.integers(1, 5), base64=st.booleans())
said_on_channels = st.lists(st.tuples(st.integers(0, 4), st.binary(max_size=300)), max_size=8)

Said = ChannelData | ChannelClosed


def heard(protocol: ChannelProtocol, *fed: bytes) -> list[Said]:
    """What a server makes of a client's bytes."""
    socket, reader = WebSocket(SERVER), ChannelReader(protocol)
    return [
        said
        for data in fed
        for piece in socket.receive_data(data)
        if isinstance(piece, Piece)
        for said in reader.feed(piece)
    ]


def merged(said: list[Said]) -> list[tuple[int, bytes | None]]:
    """Empty data left out, and neighbours of one channel put together; None stands for its end."""
    whole: list[tuple[int, bytes | None]] = []
    for each in said:
        if isinstance(each, ChannelClosed):
            whole.append((each.channel, None))
        elif each.payload:
            last = whole[-1] if whole else None
            if last is not None and last[0] == each.channel and last[1] is not None:
                whole[-1] = (each.channel, last[1] + bytes(each.payload))
            else:
                whole.append((each.channel, bytes(each.payload)))
    return whole


@given(data=st.data(), protocol=protocols, sent=said_on_channels)
def test_any_split_gives_the_same_channels(
    data: st.DataObject, protocol: ChannelProtocol, sent: list[tuple[int, bytes]]
) -> None:
    writer = ChannelWriter(WebSocket(CLIENT), protocol)
    stream = b"".join(writer.send_data(channel, bytes(payload)) for channel, payload in sent)
    expected: list[Said] = [ChannelData(channel, payload) for channel, payload in sent]
    assert merged(heard(protocol, *data.draw(pieces(stream)))) == merged(expected)


@given(data=st.data(), sent=said_on_channels, closed=st.sets(st.integers(0, 4)))
def test_half_closes_come_where_they_were_said(
    data: st.DataObject, sent: list[tuple[int, bytes]], closed: set[int]
) -> None:
    writer = ChannelWriter(WebSocket(CLIENT), V5)
    stream = b"".join(writer.send_data(channel, bytes(payload)) for channel, payload in sent)
    stream += b"".join(writer.send_close(channel) for channel in sorted(closed))
    expected: list[Said] = [ChannelData(channel, payload) for channel, payload in sent]
    expected += [ChannelClosed(channel) for channel in sorted(closed)]
    assert merged(heard(V5, *data.draw(pieces(stream)))) == merged(expected)


@given(data=st.data(), protocol=st.sampled_from([V4, V5, BASE64]), payload=st.binary(max_size=200))
def test_a_message_may_come_in_frames_of_any_size(
    data: st.DataObject, protocol: ChannelProtocol, payload: bytes
) -> None:
    message = b"0" + base64.b64encode(payload) if protocol.base64 else b"\0" + payload
    cut = data.draw(pieces(message))
    stream = b"".join(
        Frame(Opcode.CONT if index else Opcode.BINARY, part, index == len(cut) - 1).serialize(mask=True)
        for index, part in enumerate(cut)
    )
    assert merged(heard(protocol, stream)) == merged([ChannelData(0, payload)])


@given(data=st.data(), protocol=protocols, messages=st.lists(st.binary(max_size=20), max_size=6))
def test_any_messages_are_channels_or_an_error(
    data: st.DataObject, protocol: ChannelProtocol, messages: list[bytes]
) -> None:
    reader = ChannelReader(protocol)
    try:
        for message in messages:
            cut = data.draw(pieces(message)) or [b""]
            for index, part in enumerate(cut):
                list(reader.feed(Piece(part, index == 0, index == len(cut) - 1)))
    except ProtocolError:
        pass


@pytest.mark.parametrize("message", [b"\xff", b"\xff\x00\x00", b"\xff" + bytes(1000)], ids=["one", "three", "many"])
def test_a_half_close_is_two_bytes(message: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"exactly two bytes|longer"):
        list(ChannelReader(V5).feed(Piece(message, True, True)))


def test_before_v5_nothing_is_closed_and_255_is_a_channel() -> None:
    assert ChannelWriter(WebSocket(CLIENT), V4).send_close(0) == b""
    assert ChannelWriter(WebSocket(CLIENT), ChannelProtocol(version=5, base64=True)).send_close(0) == b""
    assert list(ChannelReader(V4).feed(Piece(b"\xff\x00", True, True))) == [ChannelData(CLOSE_SIGNAL, b"\0")]


def test_an_empty_message_means_nothing() -> None:
    for protocol in (V4, V5, BASE64):
        assert merged(list(ChannelReader(protocol).feed(Piece(b"", True, True)))) == []


@pytest.mark.parametrize("message", [b"0!!!", b"0abc", b":YQ==", b"/YQ==", b"\0YQ==", b"0YQ==YQ=="])
def test_what_is_no_base64_is_an_error(message: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(ChannelReader(BASE64).feed(Piece(message, True, True)))


def test_a_base64_message_without_end_is_given_up() -> None:
    reader = ChannelReader(BASE64)
    list(reader.feed(Piece(b"A" * FRAME_LIMIT_BYTES, True, False)))
    with pytest.raises(ProtocolError, match="longer than"):
        list(reader.feed(Piece(b"A", False, False)))


def test_a_raw_message_without_end_is_handed_on_as_it_comes() -> None:
    reader, count = ChannelReader(V4), 0
    for index in range(64):
        count += sum(
            len(said.payload)
            for said in reader.feed(Piece(bytes(65536), index == 0, False))
            if isinstance(said, ChannelData)
        )
    assert count == 64 * 65536 - 1


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        (None, ChannelProtocol(version=1)),
        ("", ChannelProtocol(version=1)),
        ("channel.k8s.io", ChannelProtocol(version=1)),
        ("base64.channel.k8s.io", ChannelProtocol(version=1, base64=True)),
        ("v4.channel.k8s.io", ChannelProtocol(version=4)),
        ("v4.base64.channel.k8s.io", ChannelProtocol(version=4, base64=True)),
        ("v5.channel.k8s.io", ChannelProtocol(version=5)),
        ("v6.channel.k8s.io", None),
        ("v5.channel.k8s.io.evil", None),
        ("SPDY/3.1+portforward.k8s.io", None),
    ],
)
def test_names_of_protocols(name: str | None, protocol: ChannelProtocol | None) -> None:
    assert channel_protocol(name) == protocol
