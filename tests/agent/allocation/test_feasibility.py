"""Resizes that a node can never do, and the order of those that wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from podwright.agent.allocation.feasibility import SWAP_MESSAGE, ResizeRules, infeasible
from podwright.agent.allocation.messages import STARTED, pending, resize_message
from podwright.agent.allocation.order import PendingResize, in_order
from podwright.agent.pods.allocation import ResizeGates
from podwright.k8s.objects import ContainerResizePolicy, Pod, ResourceRequirements
from tests.agent.fakes.pods import container, pod


def sized(name: str = "web", *, cpu: str = "1", memory: str = "1Gi", limit: str = "", **fields: Any) -> Pod:
    """A pod whose requests are its limits, but for the CPU's `limit`."""
    resources = ResourceRequirements(
        requests={"cpu": cpu, "memory": memory}, limits={"cpu": limit or cpu, "memory": memory}
    )
    policy = fields.pop("policy", ())
    return pod(name, containers=(container(resources=resources, resize_policy=policy),), **fields)


RESTARTS = (ContainerResizePolicy(resource_name="memory", restart_policy="RestartContainer"),)
STATIC = ResizeRules(cpu_policy="static", memory_policy="Static")
SWAPS = ResizeRules(may_swap=lambda *_: True)
OWN = ResourceRequirements(limits={"cpu": "4"})
CPU_FAULT = 'Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "static"'
MEMORY_FAULT = 'Resize is infeasible for Guaranteed Pods alongside Memory Manager policy "Static"'


@pytest.mark.parametrize(
    ("wanted", "rules", "expected"),
    [
        pytest.param(sized(cpu="2"), ResizeRules(), None, id="an ordinary node"),
        pytest.param(sized(cpu="2"), STATIC, CPU_FAULT, id="CPUs of its own"),
        pytest.param(sized(memory="2Gi"), STATIC, MEMORY_FAULT, id="memory of its own"),
        pytest.param(sized(cpu="2", limit="3"), STATIC, None, id="a burstable pod"),
        pytest.param(
            sized(cpu="2"),
            ResizeRules(cpu_policy="static", gates=ResizeGates(exclusive_cpus=True)),
            None,
            id="CPUs of its own, by the gate",
        ),
        pytest.param(sized(memory="2Gi"), SWAPS, SWAP_MESSAGE, id="a share of swap"),
        pytest.param(sized(cpu="2"), SWAPS, None, id="swap follows memory alone"),
        pytest.param(sized(memory="2Gi", policy=RESTARTS), SWAPS, SWAP_MESSAGE, id="the policy before it counts"),
        pytest.param(
            sized(resources=OWN),
            ResizeRules(gates=ResizeGates(pod_level=False)),
            "InPlacePodLevelResourcesVerticalScaling is disabled",
            id="the pod's own, without the gate",
        ),
    ],
)
def test_what_is_infeasible(wanted: Pod, rules: ResizeRules, expected: str | None) -> None:
    found = infeasible(wanted, sized(), rules)
    assert (found[1] if found is not None else None) == expected


def test_a_container_that_restarts_for_memory_gets_its_swap_anew() -> None:
    assert infeasible(sized(memory="2Gi", policy=RESTARTS), sized(policy=RESTARTS), SWAPS) is None


def waiting(name: str, *, minutes: int | None = None, cpu: str = "2", **fields: Any) -> PendingResize:
    since = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes) if minutes is not None else None
    return PendingResize(wanted=sized(name, cpu=cpu, **fields), allocated=sized(name, **fields), since=since)


@pytest.mark.parametrize(
    "pending_ones",
    [
        pytest.param([waiting("b", cpu="500m"), waiting("a", priority=9)], id="who asks for no more"),
        pytest.param([waiting("b", priority=9), waiting("a", priority=1), waiting("c")], id="priority"),
        pytest.param([waiting("b"), waiting("a", limit="4")], id="guaranteed pods"),
        pytest.param([waiting("b", minutes=1), waiting("a", minutes=2), waiting("c")], id="who has waited longest"),
    ],
)
def test_the_order_of_pending_resizes(pending_ones: list[PendingResize]) -> None:
    for shuffled in (pending_ones[::-1], [*pending_ones[1:], pending_ones[0]]):
        assert [each.wanted.metadata.name for each in in_order(shuffled)] == [
            each.wanted.metadata.name for each in pending_ones
        ]


def test_what_an_event_says() -> None:
    web = sized()
    amounts = '{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1","memory":"1Gi"}}'
    containers = f'"containers":[{{"name":"main","resources":{amounts}}}]'
    assert resize_message(STARTED, web, 3) == f'Pod resize started: {{{containers},"generation":3}}'
    assert resize_message(pending("Deferred"), web, 3, "no") == (
        f'Pod resize Deferred: {{{containers},"generation":3,"error":"no"}}'
    )
