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


@pytest.mark.parametrize(("size", "pieces"), [(4096, [4096]), (4097, [4096, 1]), (1 << 20, [4096, (1 << 20) - 4096])])
def test_a_message_is_read_by_a_buffer_of_4_kib(size: int, pieces: list[int]) -> None:
    assert [len(piece) for _, piece in mux.MuxDecoder().feed(mux.encode(1, bytes(size)))] == pieces


def test_a_frame_that_is_too_long() -> None:
    with pytest.raises(InvalidArgument, match="longer"):
        mux.MuxDecoder().feed(mux.HEADER.pack(1, mux.DATA_LIMIT_BYTES + 1))
