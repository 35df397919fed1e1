"""The kubelet's file of the memory manager."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from podwright.agent.resources.memory.checkpoint import decode, encode
from podwright.agent.resources.memory.state import Block, MemoryState, MemoryTable, NodeMemory
from podwright.errors import FailedPrecondition

KUBELETS = (
    b'{"policyName":"static","machineState":{"0":{"numberOfAssignments":0,"memoryMap":{"memory":{"total":2048,'
    b'"systemReserved":512,"allocatable":1536,"reserved":512,"free":1024}},"cells":[]}},'
    b'"entries":{"pod":{"container1":[{"numaAffinity":[0],"type":"memory","size":512}]}},"checksum":4215593881}'
)
STATE = MemoryState(
    nodes={
        0: NodeMemory(
            tables={"memory": MemoryTable(total=2048, system_reserved=512, allocatable=1536, reserved=512, free=1024)}
        )
    },
    blocks={"pod": {"container1": (Block(nodes=(0,), kind="memory", size_bytes=512),)}},
)


def test_a_kubelets_file() -> None:
    """With the checksum that Kubernetes 1.36 gives it."""
    assert decode(KUBELETS, "static") == STATE
    assert json.loads(encode("static", STATE)) == json.loads(KUBELETS)


@pytest.mark.parametrize(
    ("entry", "pods", "checksum"),
    [
        (b"", {}, b"1414536960"),
        (
            b'"podEntries":{"pod":{"memoryBlocks":[{"numaAffinity":[0],"type":"memory","size":512}]}},',
            {"pod": (Block(nodes=(0,), kind="memory", size_bytes=512),)},
            b"1278640530",
        ),
    ],
    ids=["no pod", "a pod"],
)
def test_a_kubelets_file_with_whole_pods(entry: bytes, pods: dict[str, tuple[Block, ...]], checksum: bytes) -> None:
    """As Kubernetes 1.36 writes it with the gate PodLevelResourceManagers."""
    content = KUBELETS.replace(b'"checksum":4215593881', entry + b'"checksum":' + checksum)
    found = decode(content, "static")
    assert found == replace(STATE, pods=pods)
    assert json.loads(encode("static", found, by_pod=True)) == json.loads(content)


def test_a_node_without_the_policy() -> None:
    content = encode("None", MemoryState())
    assert content.startswith(b'{"policyName":"None","machineState":{},"checksum":')
    assert decode(content, "None") == MemoryState()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not a checkpoint"),
        (KUBELETS.replace(b"2048", b"2049"), "corrupted"),
        (encode("None", MemoryState()), 'configured policy "static" differs'),
    ],
)
def test_what_cannot_be_used(content: bytes, message: str) -> None:
    with pytest.raises(FailedPrecondition, match=message):
        decode(content, "static")
