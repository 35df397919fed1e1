"""Detach keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.cli.detach import DEFAULT, DetachKeys, parse_keys
from podwright.errors import InvalidArgument
from tests.streams.splits import pieces

typed_bytes = st.binary(max_size=40) | st.lists(st.sampled_from([b"a", b"\x10", b"\x11", b"\x10\x11"])).map(b"".join)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        pytest.param(DEFAULT, b"\x10\x11", id="default"),
        pytest.param("ctrl-a,d", b"\x01d", id="as screen"),
        pytest.param("Ctrl-[", b"\x1b", id="escape"),
        pytest.param("ctrl-@,ctrl-_", b"\x00\x1f", id="first and last"),
        pytest.param("", b"", id="none"),
    ],
)
def test_names_of_keys(text: str, keys: bytes) -> None:
    assert parse_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "ctrl-pq", "ab", "a,,b", "é", "ctrl-p ctrl-q"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_keys(text)


@given(data=st.data(), typed=typed_bytes)
def test_the_keys_are_found_however_they_arrive(data: st.DataObject, typed: bytes) -> None:
    keys = DetachKeys(b"\x10\x11")
    passed = b"".join([*(keys.feed(piece) for piece in data.draw(pieces(typed))), keys.rest()])
    before, found, _ = typed.partition(b"\x10\x11")
    assert (passed, keys.pressed) == (before, bool(found))


@given(data=st.data(), typed=st.text(alphabet="ab", max_size=30))
def test_keys_that_overlap_themselves(data: st.DataObject, typed: str) -> None:
    keys = DetachKeys(b"aab")
    passed = b"".join([*(keys.feed(piece) for piece in data.draw(pieces(typed.encode()))), keys.rest()])
    assert passed == typed.encode().partition(b"aab")[0]


def test_without_keys_all_is_passed_on() -> None:
    assert DetachKeys(b"").feed(b"\x10\x11") == b"\x10\x11"
