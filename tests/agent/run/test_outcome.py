"""Who is to blame, and the exit code."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from msgspec.structs import replace as changed

from podwright.agent.run.control import look
from podwright.agent.run.outcome import (
    FailedContainer,
    FailedPod,
    exit_code,
    failed_containers,
    failures,
    hopeless,
    restarting,
)
from podwright.k8s.objects import ContainerState, ContainerStateWaiting, ContainerStatus, PodStatus
from tests.agent.fakes.pods import container, pod
from tests.agent.run.build import START, ended, job_text, plan, pod_text, running
from tests.agent.run.test_changes import end, status
from tests.agent.run.test_narrator import EVENT


def blamed(texts: tuple[str, ...], *statuses: PodStatus) -> list[str]:
    made = plan(*texts)
    known = {pod.metadata.uid: status for pod, status in zip(made.all_pods(), statuses, strict=False)}
    return [str(failure) for failure in failures(look(made, known, START, START), known)]


def waits(reason: str, restarts: int = 0) -> PodStatus:
    state = ContainerState(waiting=ContainerStateWaiting(reason=reason, message="why"))
    one = ContainerStatus(name="c", image="", image_id="", ready=False, restart_count=restarts, state=state)
    return PodStatus(phase="Pending", container_statuses=(one,))


@pytest.mark.parametrize(
    ("texts", "statuses", "expected"),
    [
        pytest.param((pod_text(),), (running(),), [], id="it runs"),
        pytest.param((pod_text(),), (ended(),), [], id="it succeeded"),
        pytest.param(
            (pod_text(),),
            (ended(3, message="bad luck"),),
            ["container c exited with code 3 (Error): bad luck"],
            id="it failed",
        ),
        pytest.param(
            (pod_text("a"), pod_text("b")),
            (running(), ended(3)),
            ["container b/c exited with code 3 (Error)"],
            id="one of two failed",
        ),
        pytest.param(
            (pod_text(),),
            (PodStatus(phase="Failed", reason="OutOfcpu", message="not enough"),),
            ["pod default/web failed (OutOfcpu): not enough"],
            id="it was refused",
        ),
        pytest.param(
            (pod_text(),), (waits("ErrImagePull"),), ["container c failed (ErrImagePull): why"], id="no image"
        ),
        pytest.param((pod_text(),), (waits("CrashLoopBackOff"),), [], id="it crashes and is started again"),
        pytest.param((pod_text(),), (waits("ErrImagePull", restarts=1),), [], id="no image for a restart"),
        pytest.param(
            (job_text("backoffLimit: 0"),),
            (ended(1),),
            ["container c exited with code 1 (Error)", "Job default/work failed (BackoffLimitExceeded)"],
            id="a job gave up",
        ),
        pytest.param((job_text("backoffLimit: 1"),), (ended(1),), [], id="a job tries again"),
    ],
)
def test_failures(texts: tuple[str, ...], statuses: tuple[PodStatus, ...], expected: list[str]) -> None:
    assert blamed(texts, *statuses) == expected


def test_a_sidecar_is_never_to_blame() -> None:
    owner = pod(init_containers=(container("side", restart_policy="Always"),))
    now = status(1, end(1, 143), name="side")
    assert failed_containers(owner, now) == ()
    assert failed_containers(changed(owner, spec=changed(owner.spec, init_containers=())), now) == (
        FailedContainer(name="side", reason="Error", exit_code=143),
    )


@pytest.mark.parametrize(
    ("reason", "count", "expected"),
    [
        ("FailedCreatePodSandBox", 2, None),
        ("FailedCreatePodSandBox", 3, FailedPod(name="default/web", reason="FailedCreatePodSandBox", message="m")),
        ("Unhealthy", 99, None),
    ],
)
def test_events_that_come_too_often(reason: str, count: int, expected: FailedPod | None) -> None:
    assert hopeless(replace(EVENT, reason=reason, count=count, message="m")) == expected


@pytest.mark.parametrize(
    ("failed", "timed_out", "forced", "code"),
    [
        (False, False, False, 0),
        (True, False, False, 1),
        (False, False, True, 1),
        (True, True, True, 124),
        (False, True, False, 124),
    ],
)
def test_exit_codes(failed: bool, timed_out: bool, forced: bool, code: int) -> None:
    found = [FailedPod(name="a", reason="b")] if failed else []
    assert exit_code(found, timed_out=timed_out, forced=forced) == code


@pytest.mark.parametrize(
    ("reason", "restarts", "blamed_for"),
    [("StartError", 0, 1), ("StartError", 1, 0), ("Error", 0, 0)],
    ids=["its program cannot be started", "it could be started once", "it ran and failed"],
)
def test_a_program_that_cannot_be_started_ends_the_run(reason: str, restarts: int, blamed_for: int) -> None:
    status = waits("RunContainerError", restarts)
    terminated = ended(128, reason=reason).container_statuses[0].state
    one = changed(status.container_statuses[0], last_state=terminated)
    assert len(blamed((pod_text(),), changed(status, container_statuses=(one,)))) == blamed_for


@pytest.mark.parametrize(("code", "is_failure"), [(7, True), (0, False)])
def test_what_waits_for_its_next_start_fails_a_run_that_is_stopped(code: int, is_failure: bool) -> None:
    made = plan(pod_text(spec="restartPolicy: Always"))
    status = waits("CrashLoopBackOff", 3)
    one = changed(status.container_statuses[0], last_state=ended(code).container_statuses[0].state)
    known = {made.all_pods()[0].metadata.uid: changed(status, container_statuses=(one,))}
    seen = look(made, known, START, START)
    assert [str(each) for each in restarting(seen, known)] == (
        ["container c exited with code 7 (Error)"] if is_failure else []
    )
    assert failures(seen, known) == ()


def test_a_sidecar_that_waits_for_its_next_start_is_no_failure() -> None:
    made = plan(pod_text(spec="initContainers: [{name: side, image: i, restartPolicy: Always}]"))
    state = ContainerState(waiting=ContainerStateWaiting(reason="CrashLoopBackOff"))
    last = ended(7).container_statuses[0].state
    side = ContainerStatus(
        name="side", image="", image_id="", ready=False, restart_count=1, state=state, last_state=last
    )
    known = {made.all_pods()[0].metadata.uid: changed(running(), init_container_statuses=(side,))}
    assert restarting(look(made, known, START, START), known) == ()
