"""The quality-of-service class, case by case."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from podwright.agent.pods.qos import qos_class
from podwright.k8s.objects import PodStatus, ResourceRequirements
from tests.agent.fakes.pods import container, pod


def resources(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> ResourceRequirements:
    return ResourceRequirements(requests=requests or {}, limits=limits or {})


BOTH = {"cpu": "1", "memory": "1Gi"}
EQUAL = resources(BOTH, BOTH)


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([resources()], "BestEffort"),
        ([resources({"cpu": "0"})], "BestEffort"),
        ([resources({"example.com/gpu": "1"}, {"example.com/gpu": "1"})], "BestEffort"),
        ([EQUAL], "Guaranteed"),
        ([resources({"cpu": "1000m", "memory": "1024Mi"}, BOTH)], "Guaranteed"),
        ([EQUAL, EQUAL], "Guaranteed"),
        ([EQUAL, resources()], "Burstable"),
        ([resources(BOTH, {"cpu": "2", "memory": "1Gi"})], "Burstable"),
        ([resources(BOTH)], "Burstable"),
        ([resources({"cpu": "1"}, {"cpu": "1"})], "Burstable"),
        ([resources({}, BOTH)], "Burstable"),
        ([resources({"memory": "1"})], "Burstable"),
    ],
)
def test_by_containers(containers: list[ResourceRequirements], expected: str) -> None:
    of = pod(containers=tuple(container(f"c{index}", resources=each) for index, each in enumerate(containers)))
    assert qos_class(of) == expected


def test_init_containers_count() -> None:
    of = pod(containers=(container(resources=EQUAL),), init_containers=(container("init"),))
    assert qos_class(of) == "Burstable"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (EQUAL, "Guaranteed"),
        (resources(BOTH), "Burstable"),
        (resources(), "BestEffort"),
        (resources({"cpu": "1"}, BOTH), "Burstable"),
    ],
)
def test_the_pods_own_resources_count_alone(own: ResourceRequirements, expected: str) -> None:
    assert qos_class(pod(containers=(container(resources=resources({"cpu": "1"})),), resources=own)) == expected


def test_what_the_api_says_stays() -> None:
    of = replace(pod(), status=PodStatus(qos_class="Guaranteed"))
    assert qos_class(of) == "Guaranteed"
