"""Frames survive any cut, garbage raises nothing, and an oversized frame costs no memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.errors import ResourceExhausted
from podwright.ttrpc.frames import DATA_LIMIT_BYTES, HEADER, Frame, FrameDecoder, Oversized, encode
from tests.streams.splits import pieces

FRAMES = st.lists(
    st.builds(
        Frame,
        stream=st.integers(0, 2**32 - 1),
        kind=st.integers(0, 255),
        flags=st.integers(0, 255),
        data=st.binary(max_size=200),
    ),
    max_size=8,
)


@given(FRAMES, st.data())
def test_any_cut_gives_the_same_frames(wanted: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(map(encode, wanted))
    decoder = FrameDecoder()
    got = [frame for piece in data.draw(pieces(stream)) for frame in decoder.feed(piece)]
    assert got == wanted


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_garbage_raises_nothing(stream: list[bytes]) -> None:
    decoder = FrameDecoder()
    for piece in stream:
        decoder.feed(piece)


@settings(max_examples=10)  # of 4 MiB each
@given(FRAMES, st.integers(1, 5000), st.data())
def test_an_oversized_frame_is_dropped_and_those_after_it_are_not(
    wanted: list[Frame], extra: int, data: st.DataObject
) -> None:
    decoder = FrameDecoder()
    size = DATA_LIMIT_BYTES + extra
    stream = HEADER.pack(size, 7, 2, 0) + bytes(size) + b"".join(map(encode, wanted))
    step = data.draw(st.integers(60_000, 1 << 20))
    got = [frame for at in range(0, len(stream), step) for frame in decoder.feed(stream[at : at + step])]
    assert got == [Oversized(stream=7, kind=2, flags=0, length=size), *wanted]


def test_an_oversized_frame_is_not_kept() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(HEADER.pack(2**32 - 1, 1, 2, 0)) == [Oversized(stream=1, kind=2, flags=0, length=2**32 - 1)]
    for _ in range(100):
        assert decoder.feed(bytes(1 << 20)) == []
    assert len(decoder._buffer) == 0


def test_the_largest_frame_is_sent_and_a_larger_one_refused() -> None:
    largest = Frame(stream=1, kind=1, data=bytes(DATA_LIMIT_BYTES))
    assert FrameDecoder().feed(encode(largest)) == [largest]
    with pytest.raises(ResourceExhausted, match="4194305 bytes"):
        encode(Frame(stream=1, kind=1, data=bytes(DATA_LIMIT_BYTES + 1)))
