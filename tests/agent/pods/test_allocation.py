"""What a pod wants, what it was given, and texts that say the same."""

from __future__ import annotations

import pytest

from podwright.agent.pods.allocation import (
    PodAllocation,
    PodSizes,
    ResizeGates,
    allocation_of,
    effective,
    is_same,
    mixed,
    sizes,
    with_allocation,
)
from podwright.k8s.objects import ResourceRequirements
from tests.agent.fakes.pods import container, pod

GATES = ResizeGates()
SMALL = ResourceRequirements(requests={"cpu": "100m", "memory": "64Mi"}, limits={"cpu": "1", "memory": "128Mi"})
LARGE = ResourceRequirements(requests={"cpu": "200m", "memory": "64Mi"}, limits={"cpu": "2", "memory": "128Mi"})
OWN = ResourceRequirements(requests={"cpu": "1"}, limits={"cpu": "3", "memory": "1Gi"})


def test_a_pod_gets_what_it_was_given_and_keeps_the_rest() -> None:
    wanted = pod(containers=(container("a", resources=LARGE), container("b", resources=SMALL)), resources=OWN)
    given = PodAllocation(containers={"a": SMALL}, pod=None)
    changed = with_allocation(wanted, given, GATES)
    assert [each.resources for each in changed.spec.containers] == [SMALL, SMALL]
    assert changed.spec.resources is None
    assert with_allocation(wanted, given, ResizeGates(pod_level=False)).spec.resources == OWN
    assert with_allocation(wanted, None, GATES) is wanted
    assert with_allocation(wanted, allocation_of(wanted, GATES), GATES) is wanted


def test_another_text_of_the_same_amount_is_no_change() -> None:
    wanted = pod(containers=(container(resources=ResourceRequirements(limits={"cpu": "1000m"})),))
    given = PodAllocation(containers={"main": ResourceRequirements(limits={"cpu": "1"})})
    assert with_allocation(wanted, given, GATES) is wanted


@pytest.mark.parametrize(
    ("gates", "names"),
    [
        pytest.param(ResizeGates(), {"setup", "side", "main"}, id="all"),
        pytest.param(ResizeGates(init_containers=False), {"side", "main"}, id="without init containers"),
    ],
)
def test_which_containers_have_an_allocation(gates: ResizeGates, names: set[str]) -> None:
    inits = (container("setup"), container("side", restart_policy="Always"))
    assert set(allocation_of(pod(init_containers=inits), gates).containers) == names


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (None, None, True),
        (None, ResourceRequirements(), False),
        (SMALL, LARGE, False),
        (ResourceRequirements(limits={"memory": "1Gi"}), ResourceRequirements(limits={"memory": "1024Mi"}), True),
        (ResourceRequirements(limits={"memory": "1Gi"}), ResourceRequirements(requests={"memory": "1Gi"}), False),
    ],
)
def test_sameness(left: ResourceRequirements | None, right: ResourceRequirements | None, expected: bool) -> None:
    assert is_same(left, right) is expected


def test_sizes() -> None:
    assert sizes(SMALL) == PodSizes(cpu_request=100, cpu_limit=1000, memory_request=64 << 20, memory_limit=128 << 20)
    assert sizes(None) == sizes(ResourceRequirements()) == PodSizes()


def test_a_container_without_a_limit_has_the_pod_s() -> None:
    assert effective(SMALL, None) is SMALL
    assert effective(SMALL, OWN) is SMALL
    bare = ResourceRequirements(limits={"memory": "0"}, requests={"cpu": "10m"})
    assert effective(bare, OWN) == ResourceRequirements(limits={"cpu": "3", "memory": "1Gi"}, requests={"cpu": "10m"})


def test_one_resource_at_a_time() -> None:
    known = ResourceRequirements(requests={"cpu": "1"}, limits={"memory": "1Gi"})
    wanted = ResourceRequirements(
        requests={"cpu": "2", "memory": "1Mi"}, limits={"memory": "2Gi", "hugepages-2Mi": "4Mi"}
    )
    assert mixed(wanted, known, "memory") == ResourceRequirements(
        requests={"memory": "1Mi", "cpu": "1"}, limits={"memory": "2Gi", "hugepages-2Mi": "4Mi"}
    )
    assert mixed(wanted, known, "cpu") == ResourceRequirements(
        requests={"cpu": "2"}, limits={"hugepages-2Mi": "4Mi", "memory": "1Gi"}
    )
