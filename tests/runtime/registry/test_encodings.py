from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.runtime.registry.encodings import decoded

CONTENT = b'{"schemaVersion":2}'


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(CONTENT), "gzip"),
        (gzip.compress(CONTENT), " X-GZIP"),
        (CONTENT, ""),
        (CONTENT, "identity"),
        (CONTENT, "gzip"),  # the header is of what was stored
    ],
    ids=["gzip", "x-gzip", "none", "identity", "called-so"],
)
def test_content(body: bytes, encoding: str) -> None:
    assert decoded(body, encoding, 100) == CONTENT


def test_what_nobody_called_gzip_stays() -> None:
    assert decoded(gzip.compress(CONTENT), "", 100) == gzip.compress(CONTENT)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (gzip.compress(bytes(1 << 20)), "more than 100 bytes"),
        (gzip.compress(CONTENT)[:-9], "truncated"),
        (gzip.compress(CONTENT)[:10] + b"\xff" * 20, "damaged"),
    ],
    ids=["long", "truncated", "damaged"],
)
def test_bodies_that_are_refused(body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decoded(body, "gzip", 100)


@given(st.binary(max_size=200))
def test_what_was_compressed_comes_back(content: bytes) -> None:
    assert decoded(gzip.compress(content), "gzip", 200) == content
