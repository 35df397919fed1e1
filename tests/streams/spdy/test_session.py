"""Sessions: two of them agree about every stream however bytes are cut; a hostile peer ends its own at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from podwright.errors import FailedPrecondition
from podwright.streams.spdy import frames
from podwright.streams.spdy.errors import SpdyError
from podwright.streams.spdy.events import (
    DataReceived,
    Event,
    GoAwayReceived,
    HeadersReceived,
    StreamAccepted,
    StreamOpened,
    StreamReset,
)
from podwright.streams.spdy.frames import Buffer, FrameType, GoAwayStatus, ResetStatus
from podwright.streams.spdy.headers import HeaderPacker
from podwright.streams.spdy.session import Role, SpdySession
from tests.streams.splits import pieces


def events(session: SpdySession, *fed: Buffer) -> list[Event]:
    return [event for data in fed for event in session.receive_data(data)]


def joined(parts: Iterable[Buffer]) -> bytes:
    return b"".join(parts)


class Pair:
    """A client and a server with nothing between them."""

    def __init__(self) -> None:
        self.client, self.server = SpdySession(Role.CLIENT), SpdySession(Role.SERVER)

    def open(self, *, fin: bool = False) -> int:
        """A stream that both know of."""
        stream_id, opening = self.client.open_stream({"streamtype": "data"}, fin=fin)
        assert events(self.server, opening) == [StreamOpened(stream_id, {"streamtype": "data"}, fin)]
        assert events(self.client, self.server.accept(stream_id)) == [StreamAccepted(stream_id, {}, False)]
        return stream_id


# -- a model: everything that one side says arrives at the other, whatever is said and however it is cut


@dataclass
class Side:
    """A session, what it has sent and the other has not received, and what the other should find in it."""

    session: SpdySession
    sent: bytearray = field(default_factory=bytearray)
    streams: list[int] = field(default_factory=list)  # that this side may try to use
    said: dict[int, bytes] = field(default_factory=dict)  # on each stream, since it was opened
    heard: dict[int, bytes] = field(default_factory=dict)
    finished: set[int] = field(default_factory=set)  # where this side's end has been said
    ends_heard: set[int] = field(default_factory=set)
    resets: set[int] = field(default_factory=set)


class Conversation(RuleBasedStateMachine):
    """Two sessions do whatever their methods allow, with bytes under way in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = {Role.CLIENT: Side(SpdySession(Role.CLIENT)), Role.SERVER: Side(SpdySession(Role.SERVER))}

    @rule(role=st.sampled_from(Role), fin=st.booleans(), name=st.sampled_from(["stdin", "error", ""]))
    def open(self, role: Role, fin: bool, name: str) -> None:
        side = self.sides[role]
        stream_id, opening = side.session.open_stream({"streamtype": name}, fin=fin)
        side.sent += opening
        side.streams.append(stream_id)
        if fin:
            side.finished.add(stream_id)

    @rule(role=st.sampled_from(Role), payload=st.binary(max_size=200), fin=st.booleans(), data=st.data())
    def send(self, role: Role, payload: bytes, fin: bool, data: st.DataObject) -> None:
        side = self.sides[role]
        if not side.streams:
            return
        stream_id = data.draw(st.sampled_from(side.streams))
        if not side.session.is_writable(stream_id):
            with pytest.raises(FailedPrecondition):
                side.session.send_data(stream_id, payload)
            return
        side.sent += joined(side.session.send_data(stream_id, payload, fin=fin))
        side.said[stream_id] = side.said.get(stream_id, b"") + payload
        if fin:
            side.finished.add(stream_id)

    @rule(role=st.sampled_from(Role), data=st.data())
    def reset(self, role: Role, data: st.DataObject) -> None:
        side = self.sides[role]
        if side.streams:
            stream_id = data.draw(st.sampled_from(side.streams))
            side.sent += side.session.reset(stream_id)
            side.resets.add(stream_id)

    @rule(role=st.sampled_from(Role), ping_id=st.integers(0, 2**31))
    def ping(self, role: Role, ping_id: int) -> None:
        side = self.sides[role]
        side.sent += frames.ping(2 * (ping_id // 2) + role % 2)

    @precondition(lambda self: any(side.sent for side in self.sides.values()))
    @rule(data=st.data(), role=st.sampled_from(Role))
    def deliver(self, data: st.DataObject, role: Role) -> None:
        sender, receiver = self.sides[role], self.sides[Role(3 - role)]
        count = data.draw(st.integers(0, len(sender.sent)))
        fed = bytes(sender.sent[:count])
        del sender.sent[:count]
        for piece in data.draw(pieces(fed)):
            for event in receiver.session.receive_data(piece):
                self.heard(receiver, event)
        receiver.sent += receiver.session.take_answers()

    def heard(self, side: Side, event: Event) -> None:
        if isinstance(event, StreamOpened):
            side.streams.append(event.stream_id)
            side.sent += side.session.accept(event.stream_id)
            if event.fin:
                side.ends_heard.add(event.stream_id)
        elif isinstance(event, DataReceived):
            assert event.stream_id not in side.ends_heard
            side.heard[event.stream_id] = side.heard.get(event.stream_id, b"") + bytes(event.payload)
            if event.fin:
                side.ends_heard.add(event.stream_id)
        elif isinstance(event, StreamReset):
            assert event.status == ResetStatus.CANCEL
            side.resets.add(event.stream_id)

    @invariant()
    def what_is_heard_was_said(self) -> None:
        for role, side in self.sides.items():
            other = self.sides[Role(3 - role)]
            for stream_id, heard in side.heard.items():
                said = other.said.get(stream_id, b"")
                assert said.startswith(heard)
                if stream_id in side.ends_heard:
                    assert heard == said
            assert side.ends_heard <= other.finished

    def teardown(self) -> None:
        """When all has arrived, both know the same, of streams that nobody reset."""
        for _ in range(3):
            for role in Role:
                sender, receiver = self.sides[role], self.sides[Role(3 - role)]
                fed, sender.sent = bytes(sender.sent), bytearray()
                for event in receiver.session.receive_data(fed):
                    self.heard(receiver, event)
                receiver.sent += receiver.session.take_answers()
        client, server = self.sides.values()
        assert not client.sent
        assert not server.sent
        reset = client.resets | server.resets
        for side, other in ((client, server), (server, client)):
            for stream_id in set(side.streams) - reset:
                assert other.heard.get(stream_id, b"") == side.said.get(stream_id, b"")
                assert (stream_id in other.ends_heard) == (stream_id in side.finished)
        assert set(client.session.open_streams) == set(server.session.open_streams)


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=40)


# -- a peer that says anything

stream_ids = st.integers(0, 9) | st.sampled_from([2**31 - 1, 2**31, 2**32 - 1])


@st.composite
def hostile_frame(draw: st.DrawFn, packer: HeaderPacker) -> bytes:
    """A frame that is well-formed up to a point."""
    stream_id, flags = draw(stream_ids), draw(st.sampled_from([0, 1, 2, 255]))
    if draw(st.booleans()):
        payload = draw(st.binary(max_size=30))
        return frames.data_header(stream_id & frames.STREAM_ID_MASK, len(payload), fin=bool(flags & 1)) + payload
    block = draw(st.just(packer.pack({"streamtype": "x"})) | st.binary(max_size=20))
    numbers = stream_id.to_bytes(4) + draw(st.binary(max_size=6))
    return frames.control_frame(draw(st.sampled_from(FrameType)), numbers + block, flags=flags)


@given(data=st.data(), role=st.sampled_from(Role), own=st.integers(0, 3))
def test_anything_is_events_or_a_spdy_error(data: st.DataObject, role: Role, own: int) -> None:
    session, packer = SpdySession(role, streams_limit=3), HeaderPacker()
    for _ in range(own):
        session.open_stream({})
    said = [data.draw(hostile_frame(packer)) for _ in range(data.draw(st.integers(1, 12)))]
    try:
        for piece in data.draw(pieces(b"".join(said))):
            for event in session.receive_data(piece):
                if isinstance(event, StreamOpened):
                    session.accept(event.stream_id)
    except SpdyError:
        pass
    assert len(session.open_streams) <= own + 3
    assert len(session.take_answers()) <= 16 * sum(map(len, said))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(frames.data_header(1, 1) + b"x", id="data on a stream that never was"),
        pytest.param(frames.data_header(2, 1) + b"x", id="data on a stream that we have not opened"),
        pytest.param(frames.data_header(0, 1) + b"x", id="data on stream 0"),
        pytest.param(frames.syn_stream(2, HeaderPacker().pack({})), id="a stream with one of our ids"),
        pytest.param(frames.syn_stream(0, HeaderPacker().pack({})), id="stream 0"),
        pytest.param(frames.control_frame(FrameType.SYN_STREAM, bytes(9)), id="SYN_STREAM cut short"),
        pytest.param(frames.control_frame(FrameType.RST_STREAM, bytes(7)), id="RST_STREAM cut short"),
        pytest.param(frames.control_frame(FrameType.PING, b"123"), id="PING cut short"),
        pytest.param(frames.control_frame(FrameType.GOAWAY, b"123"), id="GOAWAY cut short"),
        pytest.param(frames.control_frame(FrameType.WINDOW_UPDATE, bytes(7)), id="WINDOW_UPDATE cut short"),
        pytest.param(frames.control_frame(FrameType.SETTINGS, b"123"), id="SETTINGS cut short"),
        pytest.param(
            frames.control_frame(FrameType.SETTINGS, (2).to_bytes(4) + bytes(8)), id="SETTINGS that are fewer"
        ),
        pytest.param(frames.control_frame(FrameType.SETTINGS, bytes(12)), id="SETTINGS that are more"),
        pytest.param(frames.syn_reply(1, HeaderPacker().pack({})), id="a reply to nothing"),
        pytest.param(frames.rst_stream(5, ResetStatus.CANCEL), id="a reset of nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
    ],
)
def test_what_cannot_be_ends_the_connection(said: bytes) -> None:
    with pytest.raises(SpdyError):
        events(SpdySession(Role.SERVER), said)


def test_ids_of_streams_only_grow() -> None:
    pair, packer = Pair(), HeaderPacker()
    opening = [frames.syn_stream(stream_id, packer.pack({})) for stream_id in (5, 3)]
    events(pair.server, opening[0])
    with pytest.raises(SpdyError, match="after 5"):
        events(pair.server, opening[1])


def test_more_streams_than_the_limit_are_refused_one_by_one() -> None:
    client, server = SpdySession(Role.CLIENT), SpdySession(Role.SERVER, streams_limit=2)
    openings = [client.open_stream({}) for _ in range(3)]
    opened = events(server, *(opening for _, opening in openings))
    assert [event.stream_id for event in opened if isinstance(event, StreamOpened)] == [1, 3]
    assert events(client, server.take_answers()) == [StreamReset(5, ResetStatus.REFUSED_STREAM)]
    server.reset(1)
    assert events(server, client.open_stream({})[1]) == [StreamOpened(7, {}, False)]


def test_data_after_the_end_resets_the_stream_alone() -> None:
    pair = Pair()
    stream_id, other = pair.open(), pair.open()
    late = frames.data_header(stream_id, 4) + b"late"
    events(pair.server, pair.client.send_fin(stream_id))
    assert events(pair.server, late, late) == [StreamReset(stream_id, ResetStatus.STREAM_ALREADY_CLOSED)]
    assert events(pair.client, pair.server.take_answers())[0].stream_id == stream_id  # type: ignore[union-attr] # a StreamReset
    assert pair.server.open_streams == (other,)


def test_data_that_crosses_a_reset_is_dropped() -> None:
    pair = Pair()
    stream_id = pair.open()
    under_way = joined(pair.client.send_data(stream_id, b"x"))
    reset = pair.server.reset(stream_id)
    assert events(pair.server, under_way) == []
    assert events(pair.client, reset) == [StreamReset(stream_id, ResetStatus.CANCEL)]
    assert stream_id not in pair.client.open_streams


def test_each_direction_ends_by_itself() -> None:
    pair = Pair()
    stream_id = pair.open(fin=True)
    assert not pair.client.is_writable(stream_id)
    assert events(pair.client, *pair.server.send_data(stream_id, b"answer", fin=True)) == [
        DataReceived(stream_id, memoryview(b"answer"), True)
    ]
    assert pair.client.open_streams == pair.server.open_streams == ()
    assert pair.server.send_fin(stream_id) == pair.server.reset(stream_id) == b""


def test_a_payload_longer_than_a_frame_is_several() -> None:
    pair = Pair()
    stream_id = pair.open()
    parts = pair.client.send_data(stream_id, bytes(frames.FRAME_LIMIT_BYTES + 1), fin=True)
    heard: Sequence[Event] = events(pair.server, *parts)
    received = [event for event in heard if isinstance(event, DataReceived)]
    assert sum(len(event.payload) for event in received) == frames.FRAME_LIMIT_BYTES + 1
    assert [event.fin for event in received] == [False, True]


def test_pings_of_either_side_are_answered() -> None:
    pair = Pair()
    for asking, answering, ping_id in ((pair.client, pair.server, 7), (pair.server, pair.client, 8)):
        assert events(answering, frames.ping(ping_id)) == []
        answered = answering.take_answers()
        assert answered == frames.ping(ping_id)
        assert events(asking, answered) == []
        assert asking.take_answers() == b""


def test_the_rest_of_the_frames() -> None:
    pair = Pair()
    stream_id = pair.open()
    block: Callable[[dict[str, str]], bytes] = pair.server._packer.pack  # nothing of ours sends HEADERS
    extra = frames.control_frame(FrameType.HEADERS, stream_id.to_bytes(4) + block({"a": "b"}), flags=frames.FLAG_FIN)
    assert events(pair.client, extra) == [HeadersReceived(stream_id, {"a": "b"}, True)]
    assert events(pair.client, pair.server.go_away(GoAwayStatus.OK)) == [GoAwayReceived(stream_id, GoAwayStatus.OK)]


def test_stream_ids_run_out() -> None:
    session = SpdySession(Role.CLIENT)
    session._next_id = frames.STREAM_ID_MASK  # a thousand million streams would take a while
    session.open_stream({})
    with pytest.raises(FailedPrecondition, match="used up"):
        session.open_stream({})
