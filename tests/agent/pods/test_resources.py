"""What a pod as a whole requests and is limited to."""

from __future__ import annotations

from podwright.agent.pods.resources import pod_limits, pod_requests, texts
from podwright.k8s.objects import PodSpec, ResourceRequirements
from tests.agent.fakes.pods import container

RESOURCES = ResourceRequirements(requests={"cpu": "100m"}, limits={"cpu": "200m", "example.com/gpu": "1"})


def spec(**fields: object) -> PodSpec:
    containers = (container("a", resources=RESOURCES), container("b", resources=RESOURCES))
    return PodSpec(containers=containers, **fields)  # type: ignore[arg-type]


def test_containers_together() -> None:
    assert texts(pod_requests(spec())) == {"cpu": "200m"}
    assert texts(pod_limits(spec())) == {"cpu": "400m", "example.com/gpu": "2"}


def test_overhead_adds_to_requests_and_to_limits_that_are_there() -> None:
    overhead = {"cpu": "10m", "memory": "1Mi"}
    assert texts(pod_requests(spec(overhead=overhead))) == {"cpu": "210m", "memory": "1Mi"}
    assert texts(pod_limits(spec(overhead=overhead))) == {"cpu": "410m", "example.com/gpu": "2"}


def test_the_pods_own_resources_replace_those_of_its_containers() -> None:
    own = ResourceRequirements(requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "2", "example.com/gpu": "9"})
    of = spec(resources=own, overhead={"cpu": "10m"})
    assert texts(pod_requests(of)) == {"cpu": "1010m", "memory": "1Gi"}
    assert texts(pod_limits(of)) == {"cpu": "2010m", "example.com/gpu": "2"}
