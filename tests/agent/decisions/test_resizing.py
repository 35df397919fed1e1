"""Every rule of what a resize of running containers takes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.decisions.actions import PodActions, compute_pod_actions
from podwright.agent.decisions.resizing import ContainerResize, is_in_progress, refused_decreases
from podwright.agent.pods.allocation import PodAllocation, PodSizes, ResizeGates, allocation_of
from podwright.agent.runtime.records import ObservedPod
from podwright.k8s.objects import Container, ContainerResizePolicy, Pod, ResourceRequirements
from tests.agent.fakes.observed import exited, observed, running
from tests.agent.fakes.pods import container, pod

GATES = ResizeGates()


def sized(name: str, cpu: str, memory: str, *, restart: str = "", **fields: Any) -> Container:
    """A container whose requests are its limits. `restart` names a resource that needs a restart."""
    amounts = {"cpu": cpu, "memory": memory}
    policy = (ContainerResizePolicy(resource_name=restart, restart_policy="RestartContainer"),) if restart else ()
    resources = ResourceRequirements(requests=amounts, limits=amounts)
    return container(name, resources=resources, resize_policy=policy, **fields)


def actions(of: Pod, seen: ObservedPod, actuated: PodAllocation | None) -> PodActions:
    return compute_pod_actions(of, seen, lambda _id, _kind: None, actuated)


def told(*containers: Container, **spec: Any) -> PodAllocation:
    """What the runtime was told when the pod had these."""
    return allocation_of(pod(containers=containers, **spec), GATES)


A, B = sized("a", "1", "1Gi"), sized("b", "1", "1Gi")
BOTH = observed(running("a", of=A), running("b", of=B))


def test_what_has_its_size_is_left_alone() -> None:
    assert actions(pod(containers=(A, B)), BOTH, told(A, B)).is_nothing
    assert actions(pod(containers=(A, B)), BOTH, None).is_nothing  # nobody keeps account


def test_less_is_taken_before_more_is_given() -> None:
    of = pod(containers=(sized("a", "2", "1Gi"), sized("b", "500m", "2Gi")))
    resize = actions(of, BOTH, told(A, B)).resize
    assert [each.name for each in resize.of("cpu")] == ["b", "a"]
    assert [each.name for each in resize.of("memory")] == ["b"]
    assert (resize.restarts, resize.pod_level) == (False, False)


def test_the_limit_decides_whether_a_container_grows() -> None:
    each = ContainerResize(
        name="a",
        id="a",
        wanted=PodSizes(cpu_request=2, cpu_limit=5, memory_request=1),
        current=PodSizes(cpu_request=1, cpu_limit=9, memory_request=2),
    )
    assert not each.grows("cpu")
    assert not each.grows("memory")
    assert replace(each, wanted=PodSizes(memory_request=3)).grows("memory")


def test_a_policy_restarts_the_container() -> None:
    before = sized("a", "1", "1Gi", restart="memory")
    of = pod(containers=(sized("a", "1", "2Gi", restart="memory"), B))
    found = actions(of, BOTH, told(before, B))
    assert [(kill.status.name, kill.message) for kill in found.kill] == [("a", "Container a resize requires restart")]
    assert found.start == ("a",)
    assert found.resize.restarts
    assert not found.resize.containers


def test_a_policy_for_another_resource_restarts_nothing() -> None:
    of = pod(containers=(sized("a", "2", "1Gi", restart="memory"), B))
    found = actions(of, BOTH, told(sized("a", "1", "1Gi", restart="memory"), B))
    assert not found.kill
    assert [each.name for each in found.resize.of("cpu")] == ["a"]


def test_the_only_container_may_restart() -> None:
    of = pod(containers=(sized("a", "2", "1Gi", restart="cpu"),))
    found = actions(of, observed(running("a", of=A)), told(A))
    assert (found.start, found.kill_pod) == (("a",), False)


def test_a_container_of_an_older_agent_is_told_its_size_and_not_restarted() -> None:
    of = pod(containers=(sized("a", "2", "1Gi", restart="cpu"), B))
    found = actions(of, BOTH, PodAllocation())
    assert not found.kill
    assert {each.name for each in found.resize.containers} == {"a", "b"}


def test_a_sidecar_is_resized_and_restarted_like_others() -> None:
    side = sized("side", "1", "1Gi", restart_policy="Always")
    seen = observed(running("side", of=side), running("a", of=A))
    grown = sized("side", "2", "1Gi", restart_policy="Always")
    resize = actions(pod(containers=(A,), init_containers=(grown,)), seen, told(A, init_containers=(side,))).resize
    assert [each.name for each in resize.containers] == ["side"]
    anew = sized("side", "2", "1Gi", restart="cpu", restart_policy="Always")
    found = actions(pod(containers=(A,), init_containers=(anew,)), seen, told(A, init_containers=(side,)))
    assert ([kill.status.name for kill in found.kill], found.start_init) == (["side"], ("side",))


def test_an_init_container_that_runs_is_resized() -> None:
    setup = sized("setup", "1", "1Gi")
    of = pod(containers=(A,), init_containers=(sized("setup", "2", "1Gi"),))
    seen = observed(running("setup", of=setup))
    actuated = told(A, init_containers=(setup,))
    assert [each.name for each in actions(of, seen, actuated).resize.containers] == ["setup"]
    assert not is_in_progress(of, seen, actuated)  # it ends by itself


def test_the_pod_s_own_resources() -> None:
    own, more = (ResourceRequirements(limits={"cpu": text}) for text in ("2", "4"))
    bare = container("a")
    actuated = PodAllocation(containers={"a": own}, pod=own)
    seen = observed(running("a", of=bare))
    found = actions(pod(containers=(bare,), resources=more), seen, actuated)
    assert found.resize.pod_level
    assert [each.wanted.cpu_limit for each in found.resize.of("cpu")] == [4000]  # a container without a limit has it
    assert actions(pod(containers=(bare,), resources=own), seen, actuated).is_nothing


def test_a_pod_that_is_to_end_is_not_resized() -> None:
    of = pod(containers=(sized("a", "2", "1Gi"),), restart_policy="Never")
    found = actions(of, observed(exited("a", of=A)), told(A))
    assert found.kill_pod
    assert not found.resize


@pytest.mark.parametrize(
    ("seen", "actuated", "expected"),
    [
        pytest.param(BOTH, told(A, B), False, id="done"),
        pytest.param(BOTH, told(A, sized("b", "2", "1Gi")), True, id="one is not"),
        pytest.param(observed(running("a", of=A)), told(A, sized("b", "2", "1Gi")), False, id="it does not run"),
        pytest.param(BOTH, None, False, id="no account"),
    ],
)
def test_whether_a_resize_is_under_way(seen: ObservedPod, actuated: PodAllocation | None, expected: bool) -> None:
    assert is_in_progress(pod(containers=(A, B)), seen, actuated) is expected


def shrinking(before: int, after: int) -> list[ContainerResize]:
    return [
        ContainerResize(name="a", id="a", wanted=PodSizes(memory_limit=after), current=PodSizes(memory_limit=before))
    ]


@pytest.mark.parametrize(
    ("containers", "pod_limit", "usage", "pod_usage", "expected"),
    [
        pytest.param(shrinking(10, 20), None, {}, None, [], id="it grows"),
        pytest.param(shrinking(20, 10), None, {"a": 9}, None, [], id="there is room"),
        pytest.param(
            shrinking(20, 10),
            None,
            {"a": 10},
            None,
            ['attempting to set container "a" memory limit (10) below current usage (10)'],
            id="there is none",
        ),
        pytest.param(shrinking(0, 10), None, {}, None, ['missing container "a" memory usage'], id="a new limit"),
        pytest.param([], 5, {}, 6, ["attempting to set pod memory limit (5) below current usage (6)"], id="the pod's"),
    ],
)
def test_which_decreases_are_refused(
    containers: list[ContainerResize],
    pod_limit: int | None,
    usage: dict[str, int | None],
    pod_usage: int | None,
    expected: list[str],
) -> None:
    assert refused_decreases(containers, pod_limit=pod_limit, usage=usage, pod_usage=pod_usage) == expected
