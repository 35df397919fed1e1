"""Windows: a peer that keeps them is never sent more than it takes, and all others whatever there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import FailedPrecondition
from podwright.streams.spdy import frames
from podwright.streams.spdy.events import DataReceived, Event, StreamOpened, WindowOpened
from podwright.streams.spdy.frames import FRAME_LIMIT_BYTES, Buffer, FrameType
from podwright.streams.spdy.session import Role, SpdySession

WINDOW_BYTES = 1000


def events(session: SpdySession, *fed: Buffer) -> list[Event]:
    return [event for data in fed for event in session.receive_data(data)]


def pair(*, client_window_bytes: int = WINDOW_BYTES) -> tuple[SpdySession, SpdySession]:
    """A client and a server that have heard each other's announcements, and stream 1 between them."""
    client, server = SpdySession(Role.CLIENT, window_bytes=client_window_bytes), SpdySession(Role.SERVER)
    events(server, client.announcement())
    assert isinstance(events(server, client.open_stream({})[1])[0], StreamOpened)
    events(client, server.accept(1))
    return client, server


def settings(*entries: tuple[int, int]) -> bytes:
    """SETTINGS of flags and ids, and values."""
    words = [len(entries), *(word for entry in entries for word in entry)]
    return frames.control_frame(FrameType.SETTINGS, b"".join(word.to_bytes(4) for word in words))


def window_update(stream_id: int, count_bytes: int) -> bytes:
    return frames.control_frame(FrameType.WINDOW_UPDATE, stream_id.to_bytes(4) + count_bytes.to_bytes(4))


@given(steps=st.lists(st.integers(1, 700), max_size=60), lazy=st.booleans())
def test_a_sender_never_has_more_under_way_than_the_window_and_never_stops_for_ever(
    steps: list[int], lazy: bool
) -> None:
    client, server = pair()
    sent = received = taken = 0
    for step in steps:
        count = min(step, server.sendable_bytes(1))
        sent += count
        for event in events(client, *server.send_data(1, bytes(count))) if count else ():
            assert isinstance(event, DataReceived)
            received += len(event.payload)
        assert received - taken <= WINDOW_BYTES
        if not lazy or not count:
            assert all(event == WindowOpened(1) for event in events(server, client.taken(1, received - taken)))
            taken = received
            assert server.sendable_bytes(1) >= WINDOW_BYTES // 2
    assert received == sent


def test_updates_come_each_half_window() -> None:
    client, _ = pair()
    assert client.taken(1, WINDOW_BYTES // 2 - 1) == b""
    assert client.taken(1, 1) == window_update(1, WINDOW_BYTES // 2)
    assert client.taken(1, 1) == b""


def test_peers_without_windows_get_everything() -> None:
    client, server = pair(client_window_bytes=0)
    assert client.announcement() == b""
    server.send_data(1, bytes(10 * WINDOW_BYTES))
    assert server.sendable_bytes(1) == FRAME_LIMIT_BYTES
    assert client.taken(1, 10 * WINDOW_BYTES) == b""


def test_an_announcement_holds_for_streams_that_are_open() -> None:
    """It may be late, and change; what was sent before counts."""
    _, server = pair(client_window_bytes=0)
    server.send_data(1, bytes(300))
    assert events(server, settings((7, WINDOW_BYTES))) == [WindowOpened(0)]
    assert server.sendable_bytes(1) == WINDOW_BYTES - 300
    events(server, settings((7, 200)))
    assert server.sendable_bytes(1) == 0
    events(server, window_update(1, 150))
    assert server.sendable_bytes(1) == 50


def test_flags_and_other_settings_do_not_matter() -> None:
    _, server = pair(client_window_bytes=0)
    events(server, settings((4, 100), (0x01000007, 40), (99, 2**32 - 1)))
    assert server.sendable_bytes(1) == 40


@pytest.mark.parametrize("stream_id", [0, 2, 3, 2**31 - 1])
def test_updates_of_the_connection_and_of_streams_that_are_not_there_mean_nothing(stream_id: int) -> None:
    _, server = pair()
    assert events(server, window_update(stream_id, 5000)) == []
    assert server.sendable_bytes(1) == WINDOW_BYTES


def test_what_has_ended_has_no_window() -> None:
    client, server = pair()
    server.send_fin(1)
    with pytest.raises(FailedPrecondition):
        server.sendable_bytes(1)
    server.reset(1)
    assert server.taken(1, WINDOW_BYTES) == b""
    assert client.taken(5, WINDOW_BYTES) == b""
