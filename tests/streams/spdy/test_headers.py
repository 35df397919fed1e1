"""Header blocks: what is packed is opened, in order; damage and bombs end the connection at little cost."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.streams.spdy.dictionary import DICTIONARY
from podwright.streams.spdy.errors import SpdyError
from podwright.streams.spdy.headers import OPENED_LIMIT_BYTES, HeaderOpener, HeaderPacker

MIB = 1024 * 1024
texts = st.text(st.characters(codec="utf-8"), max_size=60)
names = st.text("abcdefghijklmnopqrstuvwxyz-:", min_size=1, max_size=30)
headers = st.dictionaries(names, texts, max_size=6)


def packed(plain: bytes) -> bytes:
    """A block with these bytes in it, as the first of a connection."""
    compressor = zlib.compressobj(9, zdict=DICTIONARY)
    return compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH)


def number(value: int) -> bytes:
    return struct.pack(">I", value)


def text(value: bytes) -> bytes:
    return number(len(value)) + value


@given(sent=st.lists(headers, max_size=6))
def test_blocks_come_back_in_their_order(sent: list[dict[str, str]]) -> None:
    packer, opener = HeaderPacker(), HeaderOpener()
    assert [opener.open(packer.pack(each)) for each in sent] == sent


def test_names_go_out_in_lower_case() -> None:
    assert HeaderOpener().open(HeaderPacker().pack({"streamType": "Data"})) == {"streamtype": "Data"}


def test_blocks_of_a_compressor_with_the_widest_window_are_opened() -> None:
    """As Go's compress/zlib writes them."""
    assert HeaderOpener().open(packed(number(1) + text(b"port") + text(b"80"))) == {"port": "80"}


@given(garbage=st.binary(max_size=300))
def test_garbage_that_is_no_zlib_is_an_error(garbage: bytes) -> None:
    with contextlib.suppress(SpdyError):
        HeaderOpener().open(garbage)


@given(plain=st.binary(max_size=300))
def test_any_opened_bytes_are_headers_or_an_error(plain: bytes) -> None:
    try:
        opened = HeaderOpener().open(packed(plain))
    except SpdyError:
        return
    assert HeaderOpener().open(HeaderPacker().pack(opened)) == {key.lower(): value for key, value in opened.items()}


@given(sent=headers.filter(bool), data=st.data())
def test_a_flipped_bit_is_other_headers_or_an_error(sent: dict[str, str], data: st.DataObject) -> None:
    block = bytearray(HeaderPacker().pack(sent))
    block[data.draw(st.integers(0, len(block) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(SpdyError):
        HeaderOpener().open(block)


@pytest.mark.parametrize(
    "plain",
    [
        pytest.param(b"", id="no count"),
        pytest.param(number(1), id="no name"),
        pytest.param(number(2**32 - 1), id="four thousand million headers"),
        pytest.param(number(1) + number(2**32 - 1), id="a name of 4 GiB"),
        pytest.param(number(1) + text(b"a") + number(2**31), id="a value of 2 GiB"),
        pytest.param(number(1) + text(b"") + text(b"x"), id="an empty name"),
        pytest.param(number(2) + (text(b"a") + text(b"x")) * 2, id="a repeated name"),
        pytest.param(number(0) + b"more", id="bytes after the end"),
        pytest.param(number(1) + text(b"\xff") + text(b"x"), id="no UTF-8"),
    ],
)
def test_hostile_blocks_are_refused(plain: bytes) -> None:
    with pytest.raises(SpdyError):
        HeaderOpener().open(packed(plain))


def test_the_largest_block() -> None:
    value = b"v" * (OPENED_LIMIT_BYTES - 4 - 4 - 1 - 4)
    assert HeaderOpener().open(packed(number(1) + text(b"n") + text(value))) == {"n": value.decode()}
    with pytest.raises(SpdyError, match="more than"):
        HeaderOpener().open(packed(number(1) + text(b"n") + text(value + b"v")))


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    bomb = packed(bytes(60 * MIB))
    assert len(bomb) < 64 * 1024
    opener = HeaderOpener()
    tracemalloc.start()
    try:
        with pytest.raises(SpdyError):
            opener.open(bomb)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_a_stream_that_ends_cannot_go_on() -> None:
    compressor = zlib.compressobj(9, zdict=DICTIONARY)
    block = compressor.compress(number(0)) + compressor.flush(zlib.Z_FINISH)
    with pytest.raises(SpdyError, match="ends the stream"):
        HeaderOpener().open(block)


def test_another_dictionary_is_an_error() -> None:
    compressor = zlib.compressobj(9, zdict=b"another dictionary")
    with pytest.raises(SpdyError):
        HeaderOpener().open(compressor.compress(number(0)) + compressor.flush(zlib.Z_SYNC_FLUSH))
