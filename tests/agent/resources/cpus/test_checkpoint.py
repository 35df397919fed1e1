"""The kubelet's file: what it wrote is read, and what we write is what it would have written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.resources.cpus.assignments import CpuAssignments
from podwright.agent.resources.cpus.checkpoint import decode, encode
from podwright.errors import FailedPrecondition


def test_a_kubelets_file() -> None:
    """Checksums as Kubernetes 1.36 writes them."""
    assert encode("none", CpuAssignments(shared=frozenset({4, 5, 6}))) == (
        b'{"policyName":"none","defaultCpuSet":"4-6","checksum":354655845}'
    )
    found = decode(
        b'{"policyName":"none","defaultCpuSet":"1-3",'
        b'"entries":{"pod":{"container1":"4-6","container2":"1-3"}},"checksum":3610638499}',
        "none",
    )
    assert found == CpuAssignments(
        shared=frozenset({1, 2, 3}),
        own={"pod": {"container1": frozenset({4, 5, 6}), "container2": frozenset({1, 2, 3})}},
    )


@pytest.mark.parametrize(
    ("entry", "pods", "checksum"),
    [
        (b"", {}, b"2827076397"),
        (b'"podEntries":{"pod":{"cpuSet":"4-6"}},', {"pod": frozenset({4, 5, 6})}, b"3574883635"),
    ],
    ids=["no pod", "a pod"],
)
def test_a_kubelets_file_with_whole_pods(entry: bytes, pods: dict[str, frozenset[int]], checksum: bytes) -> None:
    """As Kubernetes 1.36 writes it with the gate PodLevelResourceManagers."""
    content = (
        b'{"policyName":"static","defaultCpuSet":"1-3",'
        b'"entries":{"pod":{"container1":"4-6","container2":"5"}},' + entry + b'"checksum":' + checksum + b"}"
    )
    own = {"pod": {"container1": frozenset({4, 5, 6}), "container2": frozenset({5})}}
    found = decode(content, "static")
    assert found == CpuAssignments(shared=frozenset({1, 2, 3}), own=own, pods=pods)
    assert encode("static", found, by_pod=True) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a checkpoint"),
        ('{"policyName":"static","defaultCpuSet":"1-3","checksum":1337}', "corrupted"),
        ('{"policyName":"none","defaultCpuSet":"1-3"}', 'configured policy "static" differs .* policy "none"'),
        ('{"policyName":"static","defaultCpuSet":"x"}', "could not parse"),
        ('{"policyName":"static","entries":{"pod":{"one":"1-"}}}', "could not parse"),
        ('{"policyName":"static","entries":{"container-id":"1-3"}}', "not a checkpoint"),
    ],
)
def test_what_cannot_be_used(content: str, message: str) -> None:
    with pytest.raises(FailedPrecondition, match=message):
        decode(content.encode(), "static")


CPUS = st.frozensets(st.integers(0, 130))
NAMES = st.text("abcdef0123456789-.", min_size=1, max_size=12)


@given(CPUS, st.dictionaries(NAMES, st.dictionaries(NAMES, CPUS, min_size=1)))
def test_what_is_written_is_read(shared: frozenset[int], own: dict[str, dict[str, frozenset[int]]]) -> None:
    assignments = CpuAssignments(shared=shared, own=own)
    assert decode(encode("static", assignments), "static") == assignments


def test_a_changed_file_is_noticed() -> None:
    document = json.loads(encode("static", CpuAssignments(shared=frozenset({0}), own={"a": {"b": frozenset({1})}})))
    document["entries"]["a"]["b"] = "2"
    with pytest.raises(FailedPrecondition, match="corrupted"):
        decode(json.dumps(document).encode(), "static")
