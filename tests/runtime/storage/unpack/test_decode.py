from __future__ import annotations

import hashlib

import pytest

from podwright.runtime.storage.unpack.decode import CHUNK_BYTES, Plain
from podwright.runtime.storage.unpack.failure import UnpackError


class Zeros:
    """A stream that unpacks without end, or until it has given so many chunks."""

    def __init__(self, chunks: int = 1 << 30) -> None:
        self.left = chunks

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        self.left -= 1
        return bytes(size) if self.left >= 0 else b""


@pytest.mark.parametrize("compressed_bytes", [1000, 1 << 20])  # without and with a thread
def test_a_bomb_within_the_limit_is_recognised_by_its_ratio(compressed_bytes: int) -> None:
    plain = Plain(Zeros(), compressed_bytes, 64 << 30)
    with pytest.raises(UnpackError, match=f"more than {1 << 30} bytes"):
        for _ in plain:
            pass


@pytest.mark.parametrize("compressed_bytes", [1000, 1 << 20])
def test_digest_of_the_plain_bytes(compressed_bytes: int) -> None:
    plain = Plain(Zeros(3), compressed_bytes, 64 << 30)
    assert sum(map(len, plain)) == plain.size_bytes == 3 * CHUNK_BYTES
    assert plain.digest == "sha256:" + hashlib.sha256(bytes(3 * CHUNK_BYTES)).hexdigest()
