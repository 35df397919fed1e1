"""The mux: frames in pieces of any size, and what is no frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.runtime.nri import mux

WRITES = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=64)), max_size=8)


@given(WRITES, st.integers(1, 40))
def test_what_is_written_arrives_in_any_pieces(writes: list[tuple[int, bytes]], size: int) -> None:
    stream = b"".join(mux.encode(connection, data) for connection, data in writes)
    decoder = mux.MuxDecoder()
    found = [one for start in range(0, len(stream), size) for one in decoder.feed(stream[start : start + size])]
    assert found == [(connection, data) for connection, data in writes if data]


def test_much_data_takes_several_frames() -> None:
    data = bytes(mux.DATA_LIMIT_BYTES + 5)
    assert [len(piece) for _, piece in mux.MuxDecoder().feed(mux.encode(1, data))] == [mux.DATA_LIMIT_BYTES, 5]


def test_a_frame_that_is_too_long() -> None:
    with pytest.raises(InvalidArgument, match="longer"):
        mux.MuxDecoder().feed(mux.HEADER.pack(1, mux.DATA_LIMIT_BYTES + 1))
