"""The resources that a container's status shows, beside what it was allocated."""

from __future__ import annotations

import pytest

from podwright.agent.runtime.records import CriContainerStatus as Instance
from podwright.agent.runtime.records import ResourcesStatus
from podwright.agent.status.resources import container_resources
from podwright.k8s.objects import ContainerStatus, ResourceRequirements
from tests.agent.fakes.observed import exited, running
from tests.agent.fakes.pods import container
from tests.agent.fakes.statuses import RUNS, ended, shown

FULL = ResourceRequirements(
    requests={"cpu": "100m", "memory": "64Mi"}, limits={"cpu": "1", "memory": "128Mi", "example.com/gpu": "1"}
)


def found(
    quota: int | None = None, shares: int | None = None, memory: int | None = None, period: int = 100_000
) -> Instance:
    return running(
        resources=ResourcesStatus(
            cpu_quota_us=quota, cpu_period_us=period, cpu_shares=shares, memory_limit_bytes=memory
        )
    )


def resources(
    instance: Instance, allocated: ResourceRequirements = FULL, before: ContainerStatus | None = None
) -> ResourceRequirements:
    return container_resources(container(resources=allocated), instance, "containerd://main-0", before)


@pytest.mark.parametrize(
    "instance",
    [exited(resources=ResourcesStatus(memory_limit_bytes=1)), running(), found(100_000, 102, 128 * 2**20), found(-1)],
)
def test_what_is_as_allocated_or_not_known_is_shown_as_allocated(instance: Instance) -> None:
    assert resources(instance) == FULL


def test_what_differs_is_shown_as_it_is() -> None:
    changed = resources(found(200_000, 512, 256 * 2**20))
    assert changed.limits == {"cpu": "2", "memory": "256Mi", "example.com/gpu": "1"}
    assert changed.requests == {"cpu": "500m", "memory": "64Mi"}


def test_what_is_not_known_now_was_known_before() -> None:
    actual = ResourceRequirements(requests={"cpu": "300m"}, limits={"cpu": "3", "memory": "3Gi"})
    expected = ResourceRequirements(
        requests={**FULL.requests, "cpu": "300m"}, limits={**FULL.limits, "cpu": "3", "memory": "3Gi"}
    )
    assert resources(running(), before=shown(state=RUNS, resources=actual)) == expected
    assert resources(running(), before=shown(state=ended(), resources=actual)) == FULL
    assert resources(running(), before=shown(state=RUNS, resources=actual, container_id="other")) == FULL


@pytest.mark.parametrize(("limit", "request_"), [("5m", "1m"), ("10m", "2m")])
def test_the_kernels_smallest_amounts_are_shown_as_they_were_asked_for(limit: str, request_: str) -> None:
    small = ResourceRequirements(requests={"cpu": request_}, limits={"cpu": limit})
    assert resources(found(1000, 2), small) == small


def test_a_request_that_was_asked_for_as_nothing_is_nothing() -> None:
    memory = ResourceRequirements(requests={"memory": "1Gi"})
    assert resources(found(shares=2, memory=2**30), memory) == memory


def test_a_container_without_resources_shows_none() -> None:
    assert resources(found(100_000, 2, 2**20), ResourceRequirements()) == ResourceRequirements()
