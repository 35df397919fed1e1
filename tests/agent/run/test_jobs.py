"""Jobs: which pods they want, and when they are over."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.run.jobs import JobRun
from podwright.agent.run.statuses import is_terminal
from podwright.agent.run.workloads import WorkloadState
from podwright.k8s.objects import Pod, PodStatus
from tests.agent.run.build import START, at, ended, job_text, names, plan, running

LATER = at(100_000)


def job(spec: str = "", pod_spec: str = "restartPolicy: Never") -> JobRun:
    (found,) = plan(job_text(spec, pod_spec)).workloads
    assert isinstance(found, JobRun)
    return found


class Play:
    """A job and its pods, step by step."""

    def __init__(self, job: JobRun) -> None:
        self.job = job
        self.statuses: dict[str, PodStatus] = {}
        self.time = START

    def pods(self) -> list[Pod]:
        """The pods that are wanted now; they count as wanted from here on."""
        wanted = list(self.job.pods(self.statuses, self.time))
        for pod in wanted:
            self.statuses.setdefault(pod.metadata.uid, PodStatus())
        return wanted

    def active(self) -> list[Pod]:
        return [pod for pod in self.pods() if not is_terminal(self.statuses[pod.metadata.uid])]

    def end(self, pod: Pod, code: int = 0, seconds: float = 0) -> None:
        self.statuses[pod.metadata.uid] = ended(code, seconds)

    @property
    def verdict(self) -> tuple[WorkloadState, str]:
        found = self.job.verdict(self.statuses, self.time)
        return found.state, found.reason


def test_a_job_is_one_pod_that_knows_its_job() -> None:
    (pod,) = Play(job()).pods()
    assert re.fullmatch("work-[a-z0-9]{5}", pod.metadata.name)
    assert pod.metadata.labels["batch.kubernetes.io/job-name"] == pod.metadata.labels["job-name"] == "work"
    assert [(owner.kind, owner.name) for owner in pod.metadata.owner_references] == [("Job", "work")]


@pytest.mark.parametrize(
    ("spec", "at_once", "after_one"),
    [
        pytest.param("", 1, 0, id="one"),
        pytest.param("completions: 3", 1, 1, id="one after the other"),
        pytest.param("completions: 3, parallelism: 2", 2, 2, id="two at a time"),
        pytest.param("completions: 2, parallelism: 5", 2, 1, id="no more than are needed"),
        pytest.param("parallelism: 3", 3, 2, id="a queue: none are started once one has succeeded"),
        pytest.param("completions: 0", 0, 0, id="none"),
        pytest.param("suspend: true", 0, 0, id="asleep"),
        pytest.param("completions: 3, parallelism: 2, completionMode: Indexed", 2, 2, id="indexed"),
    ],
)
def test_how_many_run_at_a_time(spec: str, at_once: int, after_one: int) -> None:
    play = Play(job(spec))
    assert len(play.active()) == at_once
    if at_once:
        play.end(play.active()[0])
    assert len(play.active()) == after_one


def test_a_job_succeeds_with_its_completions() -> None:
    play = Play(job("completions: 3, parallelism: 2"))
    seen = set()
    while play.verdict[0] is WorkloadState.RUNNING:
        seen.update(names(play.pods()))
        play.end(play.active()[0])
    assert play.verdict == (WorkloadState.SUCCEEDED, "")
    assert len(seen) == 3
    assert len(play.pods()) == 3  # they stay, to be looked at


def test_a_failed_pod_is_replaced_after_a_pause_that_doubles() -> None:
    play = Play(job("backoffLimit: 3"))
    play.end(play.active()[0], code=1, seconds=5)
    play.time = at(6)
    assert play.active() == []
    assert play.job.due(play.statuses, play.time) == at(15)
    play.time = at(15)
    (second,) = play.active()
    play.end(second, code=1, seconds=20)
    assert play.job.due(play.statuses, play.time) == at(40)
    play.time = at(40)
    assert len(play.active()) == 1
    assert play.verdict == (WorkloadState.RUNNING, "")


def test_pods_that_were_wanted_stay_wanted_during_the_pause() -> None:
    play = Play(job("completions: 2, parallelism: 2"))
    first, second = play.pods()
    play.end(first, code=1, seconds=5)
    play.time = at(6)
    assert names(play.active()) == [second.metadata.name]


@pytest.mark.parametrize(("limit", "attempts"), [(0, 1), (2, 3)])
def test_a_job_fails_past_its_backoff_limit(limit: int, attempts: int) -> None:
    play = Play(job(f"backoffLimit: {limit}"))
    play.time = LATER
    made = 0
    while play.verdict[0] is WorkloadState.RUNNING:
        made += 1
        play.end(play.active()[0], code=1)
    assert made == attempts
    assert play.verdict == (WorkloadState.FAILED, "BackoffLimitExceeded")


def test_a_job_that_failed_ends_its_other_pods() -> None:
    play = Play(job("completions: 2, parallelism: 2, backoffLimit: 0"))
    first, _ = play.active()
    play.end(first, code=1)
    assert names(play.pods()) == [first.metadata.name]


@pytest.mark.parametrize(
    ("limit", "restarts", "state"),
    [
        (0, 0, WorkloadState.RUNNING),
        (0, 1, WorkloadState.FAILED),
        (2, 1, WorkloadState.RUNNING),
        (2, 2, WorkloadState.FAILED),
    ],
)
def test_restarts_of_containers_count_with_on_failure(limit: int, restarts: int, state: WorkloadState) -> None:
    play = Play(job(f"backoffLimit: {limit}", pod_spec="restartPolicy: OnFailure"))
    (pod,) = play.active()
    play.statuses[pod.metadata.uid] = running(restarts=restarts)
    assert play.verdict[0] is state


def test_a_job_has_a_deadline() -> None:
    play = Play(job("activeDeadlineSeconds: 30"))
    (pod,) = play.active()
    play.statuses[pod.metadata.uid] = running()
    assert play.job.due(play.statuses, play.time) == at(30)
    play.time = at(30)
    assert play.verdict == (WorkloadState.FAILED, "DeadlineExceeded")
    assert play.pods() == []


def test_indexed_pods_know_their_index() -> None:
    play = Play(job("completions: 2, parallelism: 2, completionMode: Indexed"))
    first, second = play.pods()
    assert re.fullmatch("work-0-[a-z0-9]{5}", first.metadata.name)
    assert second.metadata.labels["batch.kubernetes.io/job-completion-index"] == "1"
    assert second.metadata.annotations["batch.kubernetes.io/job-completion-index"] == "1"
    assert second.spec.hostname == "work-1"
    (variable,) = second.spec.containers[0].env
    assert variable.name == "JOB_COMPLETION_INDEX"


def test_an_index_that_failed_is_tried_again_and_one_that_succeeded_is_not() -> None:
    play = Play(job("completions: 2, parallelism: 2, completionMode: Indexed"))
    play.time = LATER
    first, second = play.active()
    play.end(first, code=1)
    play.end(second)
    (again,) = play.active()
    assert again.metadata.name.startswith("work-0-")
    assert again.metadata.name != first.metadata.name
    play.end(again)
    assert play.verdict == (WorkloadState.SUCCEEDED, "")


@pytest.mark.parametrize(
    ("more", "reason"), [("", "FailedIndexes"), (", maxFailedIndexes: 0", "MaxFailedIndexesExceeded")]
)
def test_an_index_has_a_limit_of_its_own(more: str, reason: str) -> None:
    play = Play(job(f"completions: 2, parallelism: 2, completionMode: Indexed, backoffLimitPerIndex: 0{more}"))
    play.time = LATER
    first, second = play.active()
    play.end(first, code=1)
    if not more:
        assert names(play.active()) == [second.metadata.name]
        play.end(second)
    assert play.verdict == (WorkloadState.FAILED, reason)


def test_a_cron_job_runs_once_now() -> None:
    made = plan(job_text(kind="CronJob"), now=True)
    (found,) = made.workloads
    assert found.owner == "Job default/work-now"
    assert len(found.pods({}, START)) == 1
    assert any("its job runs once, now" in warning for warning in made.warnings)


@given(
    completions=st.integers(0, 4),
    parallelism=st.integers(1, 4),
    limit=st.integers(0, 3),
    indexed=st.booleans(),
    codes=st.lists(st.integers(0, 1), max_size=12),
)
def test_a_job_never_runs_too_many_and_ends(
    completions: int, parallelism: int, limit: int, indexed: bool, codes: list[int]
) -> None:
    mode = "Indexed" if indexed else "NonIndexed"
    spec = f"completions: {completions}, parallelism: {parallelism}, backoffLimit: {limit}, completionMode: {mode}"
    play = Play(job(spec))
    play.time = LATER
    for code in [*codes, *[0] * completions]:
        active = play.active()
        assert len(active) <= min(parallelism, completions)
        if play.verdict[0] is not WorkloadState.RUNNING:
            break
        assert active
        play.end(active[0], code)
    failed = sum(status.phase == "Failed" for status in play.statuses.values())
    state, _ = play.verdict
    assert state is (WorkloadState.FAILED if failed > limit else WorkloadState.SUCCEEDED)
