"""QoS classes and totals of pods."""

from __future__ import annotations

import pytest

from podwright.agent.pods.qos import qos_class
from podwright.agent.pods.resources import pod_limits, pod_requests
from podwright.k8s.objects import Container, Pod, PodSpec, PodStatus, ResourceRequirements
from tests.agent.fakes.pods import container, pod


def needs(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> ResourceRequirements:
    return ResourceRequirements(requests=requests or {}, limits=limits or {})


def of(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, name: str = "main") -> Container:
    return container(name, resources=needs(requests, limits))


BOTH = {"cpu": "1", "memory": "1Gi"}
FULL = of(BOTH, BOTH)
NONE = of()


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        (pod(), "BestEffort"),
        (pod(containers=(of({"cpu": "0"}, {"memory": "0"}),)), "BestEffort"),
        (pod(containers=(of({"ephemeral-storage": "1Gi", "hugepages-2Mi": "2Mi"}),)), "BestEffort"),
        (pod(containers=(FULL,)), "Guaranteed"),
        (pod(containers=(of({"cpu": "1000m", "memory": "1024Mi"}, BOTH),)), "Guaranteed"),
        (pod(containers=(FULL, FULL)), "Guaranteed"),
        (pod(containers=(FULL, NONE)), "Burstable"),
        (pod(containers=(FULL,), init_containers=(NONE,)), "Burstable"),
        (pod(containers=(FULL,), init_containers=(FULL,)), "Guaranteed"),
        (pod(containers=(of({}, BOTH),)), "Burstable"),
        (pod(containers=(of({"cpu": "1"}, {"cpu": "1"}),)), "Burstable"),
        (pod(containers=(of({"memory": "1"}),)), "Burstable"),
        # the sums are equal, though no container's are
        (pod(containers=(of({"cpu": "1", "memory": "2"}, {"cpu": "2", "memory": "1"}),
                         of({"cpu": "2", "memory": "1"}, {"cpu": "1", "memory": "2"}))), "Guaranteed"),
        (pod(containers=(NONE,), resources=needs(BOTH, BOTH)), "Guaranteed"),
        (pod(containers=(NONE,), resources=needs(BOTH)), "Burstable"),
        (pod(containers=(NONE,), resources=needs({"cpu": "1"}, {"cpu": "1"})), "Burstable"),
        (pod(containers=(FULL,), resources=needs({}, {"cpu": "2"})), "Burstable"),
        (Pod(spec=PodSpec(containers=(FULL,)), status=PodStatus(qos_class="Burstable")), "Burstable"),
    ],
)  # fmt: skip
def test_qos_class(pods: Pod, expected: str) -> None:
    assert qos_class(pods) == expected


def test_totals_have_the_pods_own_and_overhead() -> None:
    pods = pod(
        containers=(of({"cpu": "1"}, {"cpu": "2"}), of({"cpu": "500m", "memory": "1Gi"})),
        init_containers=(of({"cpu": "4"}),),
        overhead={"cpu": "250m", "memory": "64Mi"},
        resources=needs({"memory": "2Gi", "ephemeral-storage": "9Gi"}, {"memory": "4Gi"}),
    )
    assert {name: str(amount) for name, amount in pod_requests(pods.spec).items()} == {
        "cpu": "4250m",
        "memory": "2112Mi",
    }
    assert {name: str(amount) for name, amount in pod_limits(pods.spec).items()} == {
        "cpu": "2250m",
        "memory": "4160Mi",
    }
    assert {name: str(amount) for name, amount in pod_requests(pods.spec, overhead=False).items()} == {
        "cpu": "4",
        "memory": "2Gi",
    }
    assert {name: str(amount) for name, amount in pod_limits(pods.spec, overhead=False).items()} == {
        "cpu": "2",
        "memory": "4Gi",
    }


def test_overhead_makes_no_limit_where_there_is_none() -> None:
    assert pod_limits(pod(overhead={"cpu": "1"}).spec) == {}
