"""Pairs of streams: whatever their order they find each other, and streams that fit nowhere are refused alone."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.streams import port_forward
from podwright.streams.errors import ProtocolError
from podwright.streams.port_forward import (
    PENDING_LIMIT,
    ForwardStreamType,
    Pair,
    Pairing,
    StreamRefused,
    stream_headers,
)

ERROR, DATA = ForwardStreamType.ERROR, ForwardStreamType.DATA


@given(ports=st.lists(st.integers(1, 65535), max_size=20), data=st.data())
def test_pairs_are_found_in_any_order(ports: list[int], data: st.DataObject) -> None:
    halves = [(kind, port, str(index)) for index, port in enumerate(ports) for kind in (ERROR, DATA)]
    pairing, found = Pairing(), list[Pair]()
    ids = {}
    for number, half in enumerate(data.draw(st.permutations(halves))):
        ids[half] = 2 * number + 1
        if (pair := pairing.add(ids[half], stream_headers(*half))) is not None:
            found.append(pair)
    assert sorted(found, key=lambda pair: int(pair.request_id)) == [
        Pair(
            request_id=str(index),
            port=port,
            data_stream_id=ids[DATA, port, str(index)],
            error_stream_id=ids[ERROR, port, str(index)],
        )
        for index, port in enumerate(ports)
    ]
    assert not any(pairing.is_alone(stream_id) for stream_id in ids.values())


def test_clients_that_name_no_request() -> None:
    """Their data stream comes two after its error stream."""
    pairing = Pairing()
    for first in (1, 5, 9):
        assert pairing.add(first, {"streamtype": "error", "port": "80"}) is None
    for first in (9, 1, 5):
        pair = pairing.add(first + 2, {"streamtype": "data", "port": "80"})
        assert pair is not None
        assert (pair.error_stream_id, pair.data_stream_id) == (first, first + 2)


@pytest.mark.parametrize(
    "headers",
    [
        {"streamtype": "data", "port": "0"},
        {"streamtype": "data", "port": "65536"},
        {"streamtype": "data", "port": "-1"},
        {"streamtype": "data", "port": "080808080808"},
        {"streamtype": "data", "port": "٨٠"},  # digits, but not ours
        {"streamtype": "data", "port": ""},
        {"streamtype": "data"},
        {"streamtype": "stdin", "port": "80"},
        {"port": "80"},
        {},
    ],
)
def test_a_stream_that_names_no_port_or_type_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(StreamRefused):
        Pairing().add(1, headers)


@pytest.mark.parametrize("second", [(ERROR, 80), (DATA, 81)], ids=["a second error stream", "another port"])
def test_a_half_that_does_not_fit_is_refused_and_the_first_waits_on(second: tuple[ForwardStreamType, int]) -> None:
    pairing = Pairing()
    pairing.add(1, stream_headers(ERROR, 80, "r"))
    with pytest.raises(StreamRefused):
        pairing.add(3, stream_headers(*second, "r"))
    assert pairing.is_alone(1)
    assert pairing.add(5, stream_headers(DATA, 80, "r")) is not None


def test_lonely_halves_are_bounded_and_can_be_forgotten() -> None:
    pairing = Pairing()
    for number in range(PENDING_LIMIT):
        pairing.add(2 * number + 1, stream_headers(ERROR, 80, str(number)))
    with pytest.raises(StreamRefused, match="other half"):
        pairing.add(9999, stream_headers(ERROR, 80, "one more"))
    pairing.forget(1)
    pairing.forget(1)
    assert not pairing.is_alone(1)
    assert pairing.add(9999, stream_headers(ERROR, 80, "one more")) is None


@given(headers=st.dictionaries(st.sampled_from(["streamtype", "port", "requestid"]), st.text(max_size=8)))
def test_any_headers_wait_or_are_refused(headers: dict[str, str]) -> None:
    with contextlib.suppress(StreamRefused):
        assert Pairing().add(3, headers) is None


# -- channels of a WebSocket


def test_ports_are_announced_little_endian() -> None:
    assert port_forward.pack_port(80) == b"\x50\x00"


def test_channels_of_ports() -> None:
    assert [(port_forward.data_channel(index), port_forward.error_channel(index)) for index in range(2)] == [
        (0, 1),
        (2, 3),
    ]
    port_forward.check_ports(range(127))
    with pytest.raises(ProtocolError):
        port_forward.check_ports(range(128))
