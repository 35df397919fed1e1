"""The kubelet's file of allotted devices: what a kubelet wrote is read, and what we write has its checksum."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.resources.devices.allotments import Allotment, Holding
from podwright.agent.resources.devices.checkpoint import decode, encode
from podwright.errors import InvalidArgument

# Written by the checkpoint package of Kubernetes 1.36.
KUBELETS = (
    '{"Data":{"PodDeviceEntries":[{"PodUID":"uid-1","ContainerName":"main","ResourceName":"example.com/gpu",'
    '"DeviceIDs":{"-1":["a","b"]},"AllocResp":"CgN4"},{"PodUID":"uid-2","ContainerName":"c 2",'
    '"ResourceName":"example.com/nic","DeviceIDs":{"0":["n0","n1"],"1":["é"],"10":["z"]},"AllocResp":""},'
    '{"PodUID":"uid-3","ContainerName":"c","ResourceName":"example.com/nic","DeviceIDs":null,"AllocResp":null}],'
    '"RegisteredDevices":{"example.com/gpu":["b","a"],"example.com/nic":["n0","n1"],"example.com/zero":[]}},'
    '"Checksum":1182142153}'
)
EMPTY = '{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{}},"Checksum":3467439661}'
NO_ENTRIES = '{"Data":{"PodDeviceEntries":[],"RegisteredDevices":null},"Checksum":3252601439}'

HOLDINGS = st.builds(
    Holding,
    uid=st.text(max_size=10),
    container=st.text(max_size=10),
    resource=st.text(max_size=10),
    allotment=st.builds(
        Allotment,
        devices=st.dictionaries(st.integers(-1, 64), st.lists(st.text(max_size=5), max_size=3).map(tuple), max_size=3),
        answer=st.binary(max_size=20),
    ),
)


def test_a_kubelets_file_is_read() -> None:
    found = decode(KUBELETS.encode())
    first, second, third = found.holdings
    assert (first.uid, first.container, first.resource) == ("uid-1", "main", "example.com/gpu")
    assert first.allotment.ids == {"a", "b"}
    assert first.allotment.answer == b"\x0a\x03x"
    assert second.allotment.nodes_of("é") == (1,)
    assert third.allotment.ids == frozenset()
    assert found.registered == {
        "example.com/gpu": ("b", "a"),
        "example.com/nic": ("n0", "n1"),
        "example.com/zero": (),
    }


@pytest.mark.parametrize("text", [EMPTY, NO_ENTRIES])
def test_files_without_allotments(text: str) -> None:
    assert decode(text.encode()).holdings == ()


def test_ours_is_a_kubelets() -> None:
    found = decode(KUBELETS.encode())
    assert json.loads(encode((), {})) == json.loads(EMPTY)
    again = json.loads(encode(found.holdings[:2], found.registered))
    kubelets = json.loads(KUBELETS)
    assert again["Data"]["PodDeviceEntries"] == kubelets["Data"]["PodDeviceEntries"][:2]
    assert again["Data"]["RegisteredDevices"] == kubelets["Data"]["RegisteredDevices"]


@given(st.lists(HOLDINGS, max_size=4), st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=5), max_size=2)))
def test_what_is_written_is_read(holdings: list[Holding], registered: dict[str, list[str]]) -> None:
    found = decode(encode(holdings, registered))
    assert found.holdings == tuple(holdings)
    assert found.registered == {name: tuple(ids) for name, ids in registered.items()}


@pytest.mark.parametrize(
    "text",
    [
        KUBELETS.replace("uid-1", "uid-9"),
        KUBELETS.replace('"CgN4"', '"no base64"'),
        KUBELETS[:-10],
        "",
        "[]",
        '{"Data":{},"Checksum":1}',
    ],
)
def test_damaged_files(text: str) -> None:
    with pytest.raises(InvalidArgument, match="checkpoint of devices"):
        decode(text.encode())


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(InvalidArgument):
        decode(data)
