"""The two messages of the gRPC health protocol, encoded by hand."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.probes.grpc_health import decode_status, encode_request


@pytest.mark.parametrize(
    ("service", "message"),
    [("", b""), ("a", b"\x0a\x01a"), ("é", b"\x0a\x02\xc3\xa9"), ("s" * 300, b"\x0a\xac\x02" + b"s" * 300)],
    ids=["none", "one letter", "UTF-8", "a long name"],
)
def test_requests(service: str, message: bytes) -> None:
    assert encode_request(service) == message


@pytest.mark.parametrize(
    ("message", "status"),
    [(b"", 0), (b"\x08\x01", 1), (b"\x08\x02", 2), (b"\x12\x02hi\x08\x01", 1), (b"\x10\x05", 0)],
    ids=["absent", "serving", "not serving", "a later field first", "another field"],
)
def test_answers(message: bytes, status: int) -> None:
    assert decode_status(message) == status


@given(st.binary(max_size=64))
def test_any_bytes_end_in_a_number_or_a_value_error(message: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert decode_status(message) >= 0
