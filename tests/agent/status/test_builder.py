"""The parts of a status that are neither containers nor conditions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.runtime.records import ObservedPod
from podwright.agent.status.builder import build_status
from podwright.agent.status.inputs import StatusGates
from podwright.k8s.objects import HostIP, Pod, PodIP, PodResourceClaimStatus, PodStatus, ResourceRequirements
from tests.agent.fakes.observed import exited, observed, running, sandbox
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import NOW, inputs

V4, V6 = "192.0.2.1", "2001:db8::1"
GONE = observed(sandboxes=(sandbox(ready=False),))


def built(of: Pod, seen: ObservedPod, before: PodStatus | None = None, **fields: Any) -> PodStatus:
    return build_status(of, seen, inputs(before, **fields))


@pytest.mark.parametrize(
    ("node_ips", "found", "expected"),
    [
        ((V4,), ("10.0.0.1",), ("10.0.0.1",)),
        ((V4, V6), ("fd00::1", "10.0.0.1"), ("10.0.0.1", "fd00::1")),
        ((V6, V4), ("10.0.0.1", "fd00::1"), ("fd00::1", "10.0.0.1")),
        ((), ("fd00::1", "10.0.0.1"), ("10.0.0.1", "fd00::1")),
        ((V4,), ("10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"), ("10.0.0.1", "fd00::1")),
        ((V4,), ("FD00:0::1", "no address"), ("fd00::1",)),
    ],
)
def test_a_pod_has_one_address_of_each_family_the_nodes_first(
    node_ips: tuple[str, ...], found: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    status = built(pod(), observed(sandboxes=(sandbox(ips=found),)), node_ips=node_ips)
    assert status.pod_ips == tuple(PodIP(ip=ip) for ip in expected)
    assert status.pod_ip == expected[0]


def test_a_pod_on_the_hosts_network_has_the_nodes_addresses() -> None:
    status = built(pod(host_network=True), observed(sandboxes=()), node_ips=(V6, V4))
    assert status.pod_ips == (PodIP(ip=V6), PodIP(ip=V4))
    assert status.host_ips == (HostIP(ip=V6), HostIP(ip=V4))
    assert (status.pod_ip, status.host_ip) == (V6, V6)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (observed(sandboxes=()), "10.0.0.9"),
        (GONE, "10.0.0.9"),
        (observed(sandboxes=(sandbox(ips=()),)), ""),
        (observed(), "10.0.0.1"),
    ],
)
def test_a_pod_whose_sandbox_has_stopped_keeps_its_address(seen: ObservedPod, expected: str) -> None:
    before = PodStatus(pod_ip="10.0.0.9", pod_ips=(PodIP(ip="10.0.0.9"),))
    assert built(pod(), seen, before).pod_ip == expected


def test_a_node_without_addresses() -> None:
    status = built(pod(), observed(), node_ips=())
    assert (status.host_ip, status.host_ips) == ("", ())


def test_resources_of_the_whole_pod() -> None:
    resources = ResourceRequirements(requests={"cpu": "100m"}, limits={"memory": "64Mi"})
    of = pod(
        containers=(container("a", resources=resources), container("b", resources=resources)), overhead={"cpu": "5m"}
    )
    status = built(of, observed())
    assert status.allocated_resources == {"cpu": "205m"}
    assert status.resources == ResourceRequirements(requests={"cpu": "205m"}, limits={"memory": "128Mi"})
    assert status.qos_class == "Burstable"
    status = built(of, observed(), gates=StatusGates(pod_resources=False))
    assert (status.allocated_resources, status.resources) == ({}, None)


def test_what_others_own_is_kept() -> None:
    claims = (PodResourceClaimStatus(name="gpu"),)
    of = replace(pod(), status=PodStatus(phase="Pending", resource_claim_statuses=claims, nominated_node_name="n"))
    status = built(of, observed())
    assert (status.resource_claim_statuses, status.nominated_node_name) == (claims, "n")


EVICTED = PodStatus(phase="Failed", reason="Evicted", message="why")
PREEMPTED = PodStatus(phase="Failed", reason="Preempting", message="room")
LATE = PodStatus(phase="Failed", reason="DeadlineExceeded", message="late")


@pytest.mark.parametrize(
    ("before", "of", "seen", "expected"),
    [
        (EVICTED, pod(), observed(exited()), ("Succeeded", "")),
        (EVICTED, pod(), observed(exited(exit_code=137)), ("Failed", "Evicted")),
        (PREEMPTED, pod(), observed(exited()), ("Succeeded", "")),
        (PREEMPTED, pod(restart_policy="Never"), observed(exited()), ("Succeeded", "")),
        (PREEMPTED, pod(), observed(), ("Failed", "Preempting")),
        (LATE, pod(active_deadline_seconds=10), observed(exited()), ("Failed", "DeadlineExceeded")),
    ],
    ids=["evicted", "evicted and killed", "preempted", "preempted job", "preempted before it began", "late"],
)
def test_the_end_of_a_pod_that_the_agent_ends(
    before: PodStatus, of: Pod, seen: ObservedPod, expected: tuple[str, str]
) -> None:
    status = built(of, seen, before, is_terminal=True)
    assert (status.phase, status.reason) == expected


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_the_end_that_the_api_shows_stays_with_its_reason(phase: str) -> None:
    before = PodStatus(phase=phase, reason="Evicted", message="why")
    for seen in (observed(running()), observed(exited()), observed(exited(exit_code=1))):
        for of in (pod(), pod(restart_policy="Never"), pod(active_deadline_seconds=1)):
            status = built(replace(of, status=before), seen, before, is_terminal=True)
            assert (status.phase, status.reason, status.message) == (phase, "Evicted", "why")


def test_a_pod_that_has_ended_does_not_run_again() -> None:
    status = built(pod(), observed(running()), EVICTED)
    assert (status.phase, status.reason, status.message) == ("Failed", "Evicted", "why")


def test_the_apis_terminal_phase_counts_as_well() -> None:
    of = replace(pod(), status=PodStatus(phase="Failed", reason="NodeLost", message="gone"))
    status = built(of, observed(running()), of.status)
    assert (status.phase, status.reason, status.message) == ("Failed", "NodeLost", "gone")


def test_reason_and_message_go_with_the_phase() -> None:
    before = PodStatus(phase="Pending", reason="Waiting", message="for something")
    assert built(pod(), observed(), before).reason == "Waiting"
    status = built(pod(), observed(running()), before)
    assert (status.phase, status.reason, status.message) == ("Running", "", "")


@pytest.mark.parametrize(("age_s", "expected"), [(9, "Running"), (10, "Failed"), (11, "Failed")])
def test_a_pod_that_was_active_for_too_long_has_failed(age_s: int, expected: str) -> None:
    before = PodStatus(phase="Running", start_time=NOW - timedelta(seconds=age_s))
    status = built(pod(active_deadline_seconds=10), observed(running()), before)
    assert status.phase == expected
    if expected == "Failed":
        assert status.reason == "DeadlineExceeded"
        assert status.message == "Pod was active on the node longer than the specified deadline"
        later = built(
            pod(active_deadline_seconds=10), observed(exited()), replace(status, start_time=before.start_time)
        )
        assert (later.phase, later.reason) == ("Failed", "DeadlineExceeded")


def test_a_pod_that_has_succeeded_in_time_has_not_failed_later() -> None:
    before = PodStatus(phase="Succeeded", start_time=NOW - timedelta(hours=1))
    of = pod(active_deadline_seconds=10, restart_policy="Never")
    assert built(of, observed(exited()), before).phase == "Succeeded"
