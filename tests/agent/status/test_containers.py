"""The statuses of containers out of their instances, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from podwright.agent.resources.devices.health import device_statuses
from podwright.agent.runtime.records import CriContainerStatus as Instance
from podwright.agent.runtime.records import UserStatus
from podwright.agent.status.builder import build_status
from podwright.agent.status.inputs import StartFailure, StatusGates
from podwright.k8s.objects import (
    Container,
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    EphemeralContainer,
    Pod,
    PodStatus,
)
from tests.agent.fakes.observed import created, exited, observed, running, unknown
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import NOW, RUNS, condition, ended, inputs, shown, waits

INIT = container("init")
SIDECAR = container("side", restart_policy="Always")


def build(of: Pod, *instances: Instance, before: tuple[ContainerStatus, ...] = (), **fields: Any) -> PodStatus:
    """`before` are the statuses of regular containers."""
    return build_status(of, observed(*instances), inputs(PodStatus(container_statuses=before), **fields))


def main(of: Pod, *instances: Instance, before: tuple[ContainerStatus, ...] = (), **fields: Any) -> ContainerStatus:
    """The status of the only regular container."""
    (status,) = build(of, *instances, before=before, **fields).container_statuses
    return status


def time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# -- without an instance


@pytest.mark.parametrize(
    ("init", "reason"), [((), "ContainerCreating"), ((INIT,), "PodInitializing"), ((SIDECAR,), "PodInitializing")]
)
def test_a_container_that_was_never_made_waits(init: tuple[Container, ...], reason: str) -> None:
    status = main(pod(init_containers=init))
    assert status.state == waits(reason)
    assert (status.container_id, status.image_id, status.restart_count, status.ready) == ("", "", 0, False)
    assert status.started is False
    assert status.image == "registry.example/app:1"
    assert status.resources is None


def test_what_was_shown_of_a_waiting_container_stays() -> None:
    status = main(pod(), before=(shown(state=waits("CrashLoopBackOff"), last=ended(1), count=3),))
    assert (status.state, status.last_state, status.restart_count) == (waits(), ended(1), 3)


def test_a_container_that_has_ended_and_was_removed_stays_as_it_was() -> None:
    before = shown(state=ended(3), count=2)
    assert main(pod(restart_policy="Never"), before=(before,)).state == ended(3)


@pytest.mark.parametrize(("deleted", "count"), [(None, 3), (NOW, 2)])
def test_a_container_that_ran_and_has_vanished_has_an_unknown_end(deleted: datetime | None, count: int) -> None:
    status = main(pod(deleted=deleted), before=(shown(count=2),))
    end = status.last_state.terminated
    assert end is not None
    assert (end.reason, end.exit_code) == ("ContainerStatusUnknown", 137)
    assert status.state == waits()
    assert status.restart_count == count


def test_it_is_counted_once() -> None:
    first = main(pod(), before=(shown(count=2),))
    second = main(pod(), before=(first,))
    assert (second.restart_count, second.last_state) == (3, first.last_state)


def test_an_end_that_is_known_is_kept_when_the_next_instance_vanishes() -> None:
    status = main(pod(), before=(shown(last=ended(1), count=2),))
    assert (status.last_state, status.restart_count) == (ended(1), 2)


# -- with instances


def test_a_running_instance() -> None:
    status = main(pod(), running(attempt=2, image_ref="app@sha256:1", image_id="sha256:2"))
    assert status.state == ContainerState(running=ContainerStateRunning(started_at=time(1)))
    assert status.container_id == "containerd://main-2"
    assert (status.image, status.image_id) == ("registry.example/app:1", "app@sha256:1")
    assert (status.restart_count, status.started, status.ready) == (2, True, True)
    assert status.last_state == ContainerState()


def test_an_ended_instance() -> None:
    status = main(pod(), exited(exit_code=3, message="runtime's words"), messages={"main-0": "its own"})
    end = status.state.terminated
    assert end is not None
    assert (end.exit_code, end.reason, end.message) == (3, "Error", "runtime's words: its own")
    assert (end.started_at, end.finished_at) == (time(1), time(2))
    assert end.container_id == "containerd://main-0"
    assert (status.started, status.ready) == (False, False)


def test_an_instance_that_never_started_has_no_times() -> None:
    status = main(pod(), exited(exit_code=128, reason="StartError", started_at_ns=0, finished_at_ns=0))
    end = status.state.terminated
    assert end is not None
    assert (end.started_at, end.finished_at) == (None, None)


def test_a_created_instance_waits() -> None:
    assert main(pod(), created()).state == waits("")


def test_the_runtimes_name_is_the_ids_scheme() -> None:
    assert main(pod(), running(), runtime_name="cri-o").container_id == "cri-o://main-0"


def test_the_instance_before_is_the_last_state() -> None:
    status = main(pod(), running(attempt=2), exited(exit_code=4, attempt=1), exited(exit_code=5, attempt=0))
    last = status.last_state.terminated
    assert last is not None
    assert (last.exit_code, last.container_id) == (4, "containerd://main-1")


def test_an_instance_before_that_never_ran_is_no_last_state() -> None:
    status = main(pod(), running(attempt=2), created(attempt=1), before=(shown(last=ended(9), count=1),))
    assert status.last_state == ended(9)


def test_the_last_state_outlives_its_instance() -> None:
    before = shown(state=ended(4), count=1)
    assert main(pod(), running(attempt=2), before=(before,)).last_state == ended(4)
    later = shown(state=RUNS, last=ended(4), count=2)
    assert main(pod(), running(attempt=2), before=(later,)).last_state == ended(4)


@pytest.mark.parametrize(
    ("instance", "before", "expected"),
    [
        (running(attempt=1), shown(count=5), 5),
        (running(attempt=1), shown(state=ended(1), count=5), 6),
        (running(attempt=6), shown(state=ended(1), count=5), 6),
        (exited(attempt=1), shown(state=ended(1), count=5), 5),
        (running(attempt=5), shown(state=ended(1), count=5), 5),  # the same instance, thought lost
    ],
)
def test_the_restart_count_never_falls(instance: Instance, before: ContainerStatus, expected: int) -> None:
    assert main(pod(), instance, before=(before,)).restart_count == expected


def test_an_instance_that_the_runtime_lost_has_ended_if_it_ran() -> None:
    status = main(pod(), unknown(), before=(shown(),))
    end = status.state.terminated
    assert end is not None
    assert (end.exit_code, end.reason) == (137, "ContainerStatusUnknown")
    assert status.restart_count == 1
    again = main(pod(), unknown(), before=(status,))
    assert (again.state, again.restart_count) == (status.state, 1)


def test_an_instance_that_was_lost_before_anybody_saw_it_waits() -> None:
    assert main(pod(), unknown()).state == waits("")


def test_an_older_instance_that_is_lost_has_no_end() -> None:
    status = main(pod(), running(attempt=1), unknown(attempt=0), before=(shown(count=1),))
    assert status.last_state == ContainerState()


# -- start failures

FAILURES = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "ImageInspectError",
    "InvalidImageName",
    "RegistryUnavailable",
    "SignatureValidationFailed",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PostStartHookError",
]


@pytest.mark.parametrize("reason", FAILURES)
def test_a_container_that_cannot_start_waits_for_the_reason(reason: str) -> None:
    failures = {"main": StartFailure(reason=reason, message="why")}
    assert main(pod(), failures=failures).state == waits(reason, "why")


def test_its_end_becomes_the_last_state() -> None:
    failures = {"main": StartFailure(reason="CrashLoopBackOff", message="back-off 10s")}
    status = main(pod(), exited(exit_code=1, attempt=1), exited(exit_code=2, attempt=0), failures=failures)
    assert status.state == waits("CrashLoopBackOff", "back-off 10s")
    last = status.last_state.terminated
    assert last is not None
    assert (last.exit_code, status.restart_count) == (1, 1)
    later = main(pod(), exited(exit_code=1, attempt=1), before=(status,), failures=failures)
    assert later == status


@pytest.mark.parametrize(
    ("of", "instance"),
    [
        (pod(), running()),
        (pod(restart_policy="Never"), exited(exit_code=1)),
        (pod(restart_policy="OnFailure"), exited(exit_code=0)),
        (pod(deleted=NOW), exited(exit_code=1)),
    ],
)
def test_a_failure_is_not_shown_of_a_container_that_is_not_to_start(of: Pod, instance: Instance) -> None:
    failures = {"main": StartFailure(reason="CrashLoopBackOff", message="")}
    assert main(of, instance, failures=failures) == main(of, instance)


def test_nor_in_a_pod_that_is_over() -> None:
    failures = {"main": StartFailure(reason="CrashLoopBackOff", message="")}
    assert main(pod(), exited(exit_code=1), failures=failures, is_terminal=True).state.terminated is not None


# -- init containers


def init_of(of: Pod, *instances: Instance, before: PodStatus | None = None, **fields: Any) -> list[ContainerStatus]:
    return list(build_status(of, observed(*instances), inputs(before, **fields)).init_container_statuses)


def test_init_containers_keep_the_order_of_the_spec() -> None:
    of = pod(init_containers=(container("z"), container("a")), containers=(container("y"), container("b")))
    status = build(of)
    assert [each.name for each in status.init_container_statuses] == ["z", "a"]
    assert [each.name for each in status.container_statuses] == ["b", "y"]


def test_an_init_container_is_ready_once_it_has_succeeded() -> None:
    of = pod(init_containers=(INIT,))
    assert [(each.ready, each.started) for each in init_of(of, running("init"))] == [(False, True)]
    assert [(each.ready, each.started) for each in init_of(of, exited("init"))] == [(True, False)]
    assert [(each.ready, each.started) for each in init_of(of, exited("init", 1))] == [(False, False)]


def test_an_init_container_that_has_succeeded_waits_for_nothing() -> None:
    failures = {"init": StartFailure(reason="CrashLoopBackOff", message="")}
    (status,) = init_of(pod(init_containers=(INIT,)), exited("init"), failures=failures)
    assert status.state.terminated is not None


def test_an_init_container_of_which_nothing_is_left_has_completed_if_the_pod_goes_on() -> None:
    of = pod(init_containers=(INIT, SIDECAR))
    init, sidecar = init_of(of, running())
    assert init.state.terminated is not None
    assert (init.state.terminated.reason, init.state.terminated.exit_code, init.ready) == ("Completed", 0, True)
    assert sidecar.state == waits("PodInitializing")
    assert init_of(of)[0].state == waits("PodInitializing")
    assert init_of(of, unknown())[0].state == waits("PodInitializing")


def test_a_sidecar_is_ready_like_a_regular_container() -> None:
    assert [each.ready for each in init_of(pod(init_containers=(SIDECAR,)), running("side"))] == [True]
    assert [each.ready for each in init_of(pod(init_containers=(SIDECAR,)), exited("side"))] == [False]


# -- ephemeral containers


def test_ephemeral_containers_are_sorted_and_never_ready() -> None:
    of = pod(ephemeral_containers=(EphemeralContainer(name="z", image="i"), EphemeralContainer(name="a", image="i")))
    statuses = build(of, running("z")).ephemeral_container_statuses
    assert [(each.name, each.ready, each.started) for each in statuses] == [("a", False, None), ("z", False, None)]
    assert statuses[1].state.running is not None


def test_an_ephemeral_container_that_cannot_start_says_why() -> None:
    of = pod(ephemeral_containers=(EphemeralContainer(name="debug", image="i"),))
    failures = {"debug": StartFailure(reason="ErrImagePull", message="no")}
    (status,) = build(of, running(), failures=failures).ephemeral_container_statuses
    assert status.state == waits("ErrImagePull", "no")


# -- all containers start again

ALL_RULE = ContainerRestartRule(
    action="RestartAllContainers", exit_codes=ContainerRestartRuleOnExitCodes(operator="In", values=(7,))
)
ALL = container("main", restart_policy="Never", restart_policy_rules=(ALL_RULE,))
RESTARTING = PodStatus(
    container_statuses=(shown("main", ended(7)), shown("other", RUNS, count=1)),
    conditions=(condition("AllContainersRestarting"),),
)


def test_containers_that_are_removed_to_restart_all_wait() -> None:
    of = pod(containers=(ALL, container("other")), restart_policy="Never")
    status = build_status(of, observed(), inputs(RESTARTING))
    for each, count in zip(status.container_statuses, (1, 2), strict=True):
        assert each.state.waiting is not None
        assert each.last_state.terminated is not None
        assert each.state.waiting.reason == each.last_state.terminated.reason == "RestartingAllContainers"
        assert (each.last_state.terminated.exit_code, each.restart_count) == (137, count)
    assert status.phase == "Running"
    again = build_status(of, observed(), inputs(status))
    assert [each.restart_count for each in again.container_statuses] == [1, 2]


def test_one_that_the_runtime_loses_meanwhile_restarts_as_well() -> None:
    of = pod(containers=(ALL, container("other")), restart_policy="Never")
    status = build_status(of, observed(exited("main", 7), unknown("other", 1)), inputs(RESTARTING))
    end = status.container_statuses[1].state.terminated
    assert end is not None
    assert end.reason == "RestartingAllContainers"


# -- the rest


def test_user_and_stop_signal() -> None:
    instance = running(user=UserStatus(uid=1, gid=2, supplemental_groups=(3,)), stop_signal="SIGRTMINPLUS3")
    status = main(pod(), instance, gates=StatusGates(stop_signals=True))
    assert status.user is not None
    assert status.user.linux is not None
    assert (status.user.linux.uid, status.user.linux.gid, status.user.linux.supplemental_groups) == (1, 2, (3,))
    assert status.stop_signal == "SIGRTMIN+3"
    assert main(pod(), instance).stop_signal is None
    assert main(pod(), running(), gates=StatusGates(stop_signals=True)).stop_signal is None
    assert main(pod(), running()).user is None


def test_the_health_of_what_a_container_was_allotted() -> None:
    found = device_statuses({"example.com/gpu": {"g0": True, "g1": False}})
    (status,) = main(pod(), running(), resource_health={"main": found}).allocated_resources_status
    assert status.name == "example.com/gpu"
    assert [(each.resource_id, each.health) for each in status.resources] == [("g0", "Healthy"), ("g1", "Unhealthy")]
    assert main(pod(), running(), resource_health={"other": found}).allocated_resources_status == ()
