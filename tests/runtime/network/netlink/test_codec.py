"""Netlink's framing: what goes in comes out, and what the kernel never sends does no harm."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.runtime.network.netlink import codec
from podwright.runtime.network.netlink.codec import Message, NetlinkRequest


@given(st.lists(st.tuples(st.integers(16, 0xFFFF), st.binary(max_size=40)), max_size=5))
def test_messages_come_back(sent: list[tuple[int, bytes]]) -> None:
    data = b"".join(
        codec.encode(NetlinkRequest(kind=kind, flags=codec.NLM_F_ACK, body=body, label=""), number)
        for number, (kind, body) in enumerate(sent)
    )
    got = list(codec.decode(data))
    assert [(message.kind, message.body) for message in got] == sent
    assert [message.sequence for message in got] == list(range(len(sent)))


@given(st.dictionaries(st.integers(1, codec.NLA_TYPE_MASK), st.binary(max_size=40), max_size=6))
def test_attributes_come_back(given_attributes: dict[int, bytes]) -> None:
    data = b"".join(codec.attribute(kind, value) for kind, value in given_attributes.items())
    assert len(data) % 4 == 0
    assert codec.attributes(data) == given_attributes


@given(st.binary(max_size=200))
def test_nonsense_ends(data: bytes) -> None:
    list(codec.decode(data))
    codec.attributes(data)
    codec.string(data)


def test_nested() -> None:
    data = codec.nested(18, codec.text(1, "bridge"), codec.number(2, 7))
    inner = codec.attributes(codec.attributes(data)[18])
    assert (codec.string(inner[1]), inner[2]) == ("bridge", struct.pack("=I", 7))


def _ack(code: int, flags: int, tail: bytes = b"", request_length: int = 16) -> Message:
    body = struct.pack("=i", -code) + struct.pack("=IHHII", request_length, 16, 5, 1, 0) + tail
    return Message(kind=codec.NLMSG_ERROR, flags=flags, sequence=1, body=body)


WORDS = codec.text(codec.NLMSGERR_ATTR_MSG, "Master device does not exist")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(_ack(0, 0), None, id="success"),
        pytest.param(_ack(17, codec.NLM_F_CAPPED), "File exists", id="no words"),
        pytest.param(
            _ack(22, codec.NLM_F_CAPPED | codec.NLM_F_ACK_TLVS, WORDS, 99), "Invalid argument: Master", id="words"
        ),
        pytest.param(
            _ack(22, codec.NLM_F_ACK_TLVS, b"\0" * 8 + WORDS, 24), "Invalid argument: Master", id="echoed request"
        ),
    ],
)
def test_acknowledgement(message: Message, expected: str | None) -> None:
    failure = codec.acknowledgement(message)
    assert (failure is None) == (expected is None)
    if failure is not None and expected is not None:
        assert str(failure.strerror).startswith(expected)
