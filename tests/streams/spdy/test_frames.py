"""Frames: any split of the bytes means the same; hostile lengths end the reading."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.streams.spdy import frames
from podwright.streams.spdy.dictionary import DICTIONARY
from podwright.streams.spdy.errors import SpdyError
from podwright.streams.spdy.frames import ControlFrame, DataPiece, FrameReader, FrameType
from tests.streams.splits import pieces

Whole = ControlFrame | tuple[int, bytes, bool]

control = st.builds(
    frames.control_frame, st.sampled_from(FrameType), st.binary(max_size=300), flags=st.integers(0, 255)
)
stream_ids = st.integers(1, frames.STREAM_ID_MASK)


@st.composite
def data_frame(draw: st.DrawFn) -> bytes:
    payload, stream_id = draw(st.binary(max_size=300)), draw(stream_ids)
    return frames.data_header(stream_id, len(payload), fin=draw(st.booleans())) + payload


def read_whole(chunks: list[bytes]) -> list[Whole]:
    """The frames, adjacent pieces of a stream's data put together."""
    reader, whole = FrameReader(), list[Whole]()
    for chunk in chunks:
        for frame in reader.feed(chunk):
            if isinstance(frame, ControlFrame):
                whole.append(frame)
                continue
            last = whole[-1] if whole else None
            payload = bytes(frame.payload)
            if isinstance(last, tuple) and last[0] == frame.stream_id and not last[2]:
                whole[-1] = (frame.stream_id, last[1] + payload, frame.fin)
            else:
                whole.append((frame.stream_id, payload, frame.fin))
    return whole


def test_the_dictionary_is_the_one_of_the_draft() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


@given(data=st.data(), written=st.lists(control | data_frame(), max_size=8))
def test_any_split_gives_the_same_frames(data: st.DataObject, written: list[bytes]) -> None:
    stream = b"".join(written)
    assert read_whole(data.draw(pieces(stream))) == read_whole([stream])


@given(frame_type=st.sampled_from(FrameType), payload=st.binary(max_size=300), flags=st.integers(0, 255))
def test_a_control_frame_comes_back(frame_type: FrameType, payload: bytes, flags: int) -> None:
    written = frames.control_frame(frame_type, payload, flags=flags)
    assert list(FrameReader().feed(written)) == [ControlFrame(frame_type, flags, payload)]


@given(stream_id=stream_ids, payload=st.binary(min_size=1, max_size=300), fin=st.booleans())
def test_data_comes_back_as_a_view_on_what_was_fed(stream_id: int, payload: bytes, fin: bool) -> None:
    fed = frames.data_header(stream_id, len(payload), fin=fin) + payload
    (piece,) = FrameReader().feed(fed)
    assert isinstance(piece, DataPiece)
    assert (piece.stream_id, bytes(piece.payload), piece.fin) == (stream_id, payload, fin)
    assert piece.payload.obj is fed


@given(garbage=st.binary(max_size=400))
def test_garbage_is_frames_or_an_error(garbage: bytes) -> None:
    try:
        for frame in FrameReader().feed(garbage):
            assert isinstance(frame, ControlFrame | DataPiece)
    except SpdyError:
        pass


def test_the_length_of_a_data_frame_costs_no_memory() -> None:
    reader = FrameReader()
    assert list(reader.feed(frames.data_header(1, frames.FRAME_LIMIT_BYTES, fin=True))) == []
    (piece,) = reader.feed(b"x" * 10)
    assert isinstance(piece, DataPiece)
    assert not piece.fin


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(bytes.fromhex("8003000100ffffff"), id="16 MiB of control frame"),
        pytest.param(bytes.fromhex("8002000100000000"), id="SPDY/2"),
        pytest.param(bytes.fromhex("8003000000000000"), id="type 0"),
        pytest.param(bytes.fromhex("8003000b00000000"), id="type 11"),
    ],
)
def test_hostile_headers_are_refused_before_their_payload_comes(header: bytes) -> None:
    with pytest.raises(SpdyError):
        list(FrameReader().feed(header))
