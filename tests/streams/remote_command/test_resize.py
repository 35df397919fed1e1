"""Terminal sizes come back however they are cut, and nonsense is an error of bounded size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.streams.errors import ProtocolError
from podwright.streams.remote_command.resize import MESSAGE_LIMIT_BYTES, SizeReader, TerminalSize, pack_size
from tests.streams.splits import pieces

sizes = st.builds(TerminalSize, width=st.integers(1, 65535), height=st.integers(1, 65535))
blanks = st.sampled_from([b"", b"\n", b" ", b"\r\n\t "])


@given(data=st.data(), sent=st.lists(sizes, max_size=6), blank=blanks)
def test_any_split_gives_the_same_sizes(data: st.DataObject, sent: list[TerminalSize], blank: bytes) -> None:
    stream = b"".join(pack_size(size) + blank for size in sent)
    reader = SizeReader()
    assert [size for piece in data.draw(pieces(stream)) for size in reader.feed(piece)] == sent


@pytest.mark.parametrize("said", [b'{"Width":0,"Height":5}', b'{"Width":80}', b"{}", b'{"Height":24}'])
def test_sizes_without_an_extent_are_left_out(said: bytes) -> None:
    assert list(SizeReader().feed(said)) == []


@pytest.mark.parametrize(
    "said",
    [b'{"Width":-1,"Height":5}', b'{"Width":65536,"Height":5}', b'{"Width":"80"}', b"}", b"[}", b'{"Width":1e3}'],
)
def test_nonsense_is_an_error(said: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(SizeReader().feed(said))


def test_a_size_without_end_is_given_up() -> None:
    reader = SizeReader()
    assert list(reader.feed(b"{" + b" " * (MESSAGE_LIMIT_BYTES - 1))) == []
    with pytest.raises(ProtocolError, match="longer than"):
        list(reader.feed(b" "))


@given(data=st.data(), garbage=st.binary(max_size=200))
def test_garbage_is_sizes_or_an_error(data: st.DataObject, garbage: bytes) -> None:
    reader = SizeReader()
    try:
        for piece in data.draw(pieces(garbage)):
            for size in reader.feed(piece):
                assert size.width
                assert size.height
    except ProtocolError:
        pass
