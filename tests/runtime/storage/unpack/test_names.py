from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.runtime.storage.unpack.failure import UnpackError
from podwright.runtime.storage.unpack.names import relative


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"a/b", b"a/b"),
        (b"./a/b/", b"a/b"),
        (b"/a", b"a"),
        (b"//a//b/./c", b"a/b/c"),
        (b"./", b""),
        (b".", b""),
        (b"/", b""),
        (b"", b""),
        (b"a/..b/...", b"a/..b/..."),
        (b".hidden", b".hidden"),
        (b"a/\xff\n", b"a/\xff\n"),
    ],
)
def test_made_relative(written: bytes, expected: bytes) -> None:
    assert relative(written) == expected


@pytest.mark.parametrize(
    "written", [b"..", b"../a", b"a/../../b", b"a/..", b"/../a", b"./..", b"a\0b", b"a" * 256, b"b/" * 2048]
)
def test_refused(written: bytes) -> None:
    with pytest.raises(UnpackError):
        relative(written)


@given(st.binary(max_size=30) | st.lists(st.sampled_from([b"..", b".", b"", b"a", b"/"])).map(b"/".join))
def test_never_leads_out(name: bytes) -> None:
    try:
        parts = relative(name).split(b"/")
    except UnpackError:
        return
    assert parts == [b""] or not {b"", b".", b".."} & set(parts)
