"""Pods with resources as a whole: who has a part alone, and whether the others have something to share."""

from __future__ import annotations

import pytest

from podwright.agent.pods.failures import NotAdmitted
from podwright.agent.resources.pod_level import check_shared_pool, is_guaranteed_alone, is_one
from podwright.k8s.objects import Container, Pod, ResourceRequirements
from tests.agent.fakes.pods import container, pod


def asking(name: str, cpus: int = 0, **fields: str) -> Container:
    """A container that is guaranteed by itself when it asks for something."""
    amounts = {"cpu": str(cpus), "memory": "1Mi"} if cpus else {}
    return container(name, resources=ResourceRequirements(requests=amounts, limits=amounts), **fields)


def sidecar(name: str, cpus: int = 0) -> Container:
    return asking(name, cpus, restart_policy="Always")


def own(found: Container) -> dict[str, int]:
    return {"cpu": int(found.resources.requests["cpu"])} if found.resources.requests else {}


@pytest.mark.parametrize(
    ("init", "containers", "problem"),
    [
        ((), (asking("a", 3), asking("b")), ""),
        ((), (asking("a", 4), asking("b")), "sum of exclusive container cpu requests equals pod budget"),
        ((), (asking("a", 2), asking("b", 2)), ""),
        ((asking("i"),), (asking("a", 4),), ""),
        ((sidecar("s", 4), asking("i")), (asking("a"),), "pod has shared init containers but no cpus available"),
        ((asking("i"), sidecar("s", 3)), (asking("a"),), ""),
        ((sidecar("s"),), (asking("a", 4),), "leaving no cpus for shared containers"),
    ],
    ids=[
        "some is left",
        "none is left",
        "none shares",
        "after it",
        "sidecars have all",
        "a sidecar has some",
        "it shares",
    ],
)
def test_something_must_be_left_to_share(
    init: tuple[Container, ...], containers: tuple[Container, ...], problem: str
) -> None:
    asked = pod(init_containers=init, containers=containers)
    if not problem:
        check_shared_pool(asked, {"cpu": 4}, own)
        return
    with pytest.raises(NotAdmitted, match=problem) as refused:
        check_shared_pool(asked, {"cpu": 4}, own)
    assert refused.value.reason == "EmptyPodSharedPoolError"


@pytest.mark.parametrize(
    ("requests", "limits", "alone"),
    [
        ({"cpu": "1", "memory": "1Mi"}, {"cpu": "1000m", "memory": "1Mi"}, True),
        ({"cpu": "1", "memory": "1Mi"}, {"cpu": "2", "memory": "1Mi"}, False),
        ({"cpu": "1"}, {"cpu": "1"}, False),
        ({}, {}, False),
    ],
)
def test_containers_that_are_guaranteed_alone(requests: dict[str, str], limits: dict[str, str], alone: bool) -> None:
    found = container(resources=ResourceRequirements(requests=requests, limits=limits))
    assert is_guaranteed_alone(found) is alone


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (pod(), False),
        (pod(resources=ResourceRequirements()), False),
        (pod(resources=ResourceRequirements(limits={"cpu": "1"})), True),
    ],
)
def test_pods_with_resources_as_a_whole(asked: Pod, expected: bool) -> None:
    assert is_one(asked) is expected
