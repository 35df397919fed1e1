"""Jobs: `parallelism` pods at a time, new ones for those that failed, until enough have succeeded. Pure.

The rules are the Job controller's (pkg/controller/job of Kubernetes 1.36). A pod's place in the job is its index (0 in
a job that is not indexed, whose pods have numbers instead) and its attempt. Not honoured: podFailurePolicy and
successPolicy, which `losses` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from podwright.agent.pods.phases import FAILED, SUCCEEDED
from podwright.agent.run.naming import suffix
from podwright.agent.run.pods import Owner, PodMaker, owner_of
from podwright.agent.run.statuses import Statuses, finished_at, is_terminal, restarts
from podwright.agent.run.workloads import JobVerdict, WorkloadState
from podwright.k8s.defaults.apply import with_defaults
from podwright.k8s.objects import (
    Container,
    CronJob,
    EnvVar,
    EnvVarSource,
    Job,
    JobSpec,
    ObjectFieldSelector,
    Pod,
    PodSpec,
    PodStatus,
)

CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
INSTANTIATED = {"cronjob.kubernetes.io/instantiate": "manual"}
BACKOFF_S = 10.0  # before the first new attempt; doubled before each further one
BACKOFF_MAX_S = 600.0
NOW_SUFFIX = "-now"


class _Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One pod of the job. `status` is None for a pod that was never wanted."""

    pod: Pod
    status: PodStatus | None

    @property
    def is_active(self) -> bool:
        return self.status is not None and not is_terminal(self.status)

    @property
    def has_succeeded(self) -> bool:
        return self.status is not None and self.status.phase == SUCCEEDED

    @property
    def has_failed(self) -> bool:
        return self.status is not None and self.status.phase == FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One Job and its pods, see `Workload`."""

    owner: str
    name: Owner
    spec: JobSpec
    maker: PodMaker
    _known: dict[tuple[int | None, int], Pod] = field(default_factory=dict, compare=False, repr=False)

    def pods(self, statuses: Statuses, now: datetime) -> tuple[Pod, ...]:
        """See Workload. A finished job keeps the pods that have ended, and ends the others."""
        made = self._made(statuses)
        if self.verdict(statuses, now).state is not WorkloadState.RUNNING:
            return tuple(attempt.pod for attempt in made if not attempt.is_active)
        wanted = [attempt.pod for attempt in made]
        retry_at = self._retry_at(made)
        if retry_at is None or now >= retry_at:
            wanted += self._new(statuses, made)
        return tuple(wanted)

    def is_complete(self, statuses: Statuses) -> bool:
        return not any(True for _ in self._new(statuses, self._made(statuses)))

    def verdict(self, statuses: Statuses, now: datetime) -> JobVerdict:
        if self.spec.suspend:
            return JobVerdict(state=WorkloadState.SUCCEEDED)
        made = self._made(statuses)
        if reason := self._failure(made, now):
            return JobVerdict(state=WorkloadState.FAILED, reason=reason)
        return JobVerdict(state=WorkloadState.SUCCEEDED if self._is_done(made) else WorkloadState.RUNNING)

    def due(self, statuses: Statuses, now: datetime) -> datetime | None:
        made = self._made(statuses)
        times = [time for time in (self._retry_at(made), self._deadline(made)) if time is not None and time > now]
        return min(times, default=None)

    # -- existing pods

    def _made(self, statuses: Statuses) -> list[_Attempt]:
        """The pods so far, by place."""
        return [attempt for places in self._places(statuses) for attempt in places if attempt.status is not None]

    def _places(self, statuses: Statuses) -> Iterator[list[_Attempt]]:
        """The attempts of each index, the last of them not made yet. Without indexes: of each number."""
        if self._is_indexed:
            for index in range(self.spec.completions or 0):
                yield self._attempts(statuses, index)
            return
        number = 0
        while True:
            attempt = self._attempt(statuses, None, number)
            yield [attempt]
            if attempt.status is None:
                return
            number += 1

    def _attempts(self, statuses: Statuses, index: int) -> list[_Attempt]:
        found = [self._attempt(statuses, index, 0)]
        while found[-1].status is not None:
            found.append(self._attempt(statuses, index, len(found)))
        return found

    def _attempt(self, statuses: Statuses, index: int | None, number: int) -> _Attempt:
        pod = self._pod(index, number)
        return _Attempt(pod=pod, status=statuses.get(pod.metadata.uid))

    @property
    def _is_indexed(self) -> bool:
        return self.spec.completion_mode == "Indexed"

    # -- new pods

    def _new(self, statuses: Statuses, made: list[_Attempt]) -> Iterator[Pod]:
        """The pods that are wanted in addition to existing ones."""
        if self.spec.suspend or self._is_done(made):
            return
        active = sum(attempt.is_active for attempt in made)
        if self._is_indexed:
            yield from self._new_indexed(statuses, max(0, (self.spec.parallelism or 0) - active))
            return
        succeeded = sum(attempt.has_succeeded for attempt in made)
        completions, parallelism = self.spec.completions, self.spec.parallelism or 0
        if completions is None:  # a queue: once one has succeeded, no new ones are started
            wanted = active if succeeded else parallelism
        else:
            wanted = min(parallelism, completions - succeeded)
        for number in range(len(made), len(made) + max(0, wanted - active)):
            yield self._pod(None, number)

    def _new_indexed(self, statuses: Statuses, room: int) -> Iterator[Pod]:
        """The next attempt of each undecided index without a running one, at most `room` pods."""
        for attempts in self._places(statuses):
            *made, following = attempts
            if room <= 0:
                return
            if not any(each.is_active or each.has_succeeded for each in made) and not self._has_given_up(made):
                room -= 1
                yield following.pod

    def _has_given_up(self, made: list[_Attempt]) -> bool:
        """Whether an index has failed for good (backoffLimitPerIndex)."""
        limit = self.spec.backoff_limit_per_index
        return limit is not None and sum(attempt.has_failed for attempt in made) > limit

    def _retry_at(self, made: list[_Attempt]) -> datetime | None:
        """The time from which new pods may start after failures."""
        ends = sorted(
            (end, attempt.has_failed)
            for attempt in made
            if attempt.status is not None and is_terminal(attempt.status) and (end := finished_at(attempt.status))
        )
        failures = 0
        for _, failed in reversed(ends):
            if not failed:
                break
            failures += 1
        if not failures:
            return None
        delay_s = min(BACKOFF_S * 2 ** min(failures - 1, 16), BACKOFF_MAX_S)
        return ends[-1][0] + timedelta(seconds=delay_s)

    # -- the end

    def _is_done(self, made: list[_Attempt]) -> bool:
        succeeded = sum(attempt.has_succeeded for attempt in made)
        if self.spec.completions is None:
            return bool(succeeded) and not any(attempt.is_active for attempt in made)
        return succeeded >= self.spec.completions

    def _failure(self, made: list[_Attempt], now: datetime) -> str:
        """The condition's reason. Empty for a job that has not failed."""
        if self._is_done(made):
            return ""
        deadline = self._deadline(made)
        if deadline is not None and now >= deadline:
            return "DeadlineExceeded"
        if self.spec.backoff_limit_per_index is not None:
            return self._index_failure(made)
        return "BackoffLimitExceeded" if self._is_past_limit(made) else ""

    def _is_past_limit(self, made: list[_Attempt]) -> bool:
        limit = self.spec.backoff_limit or 0
        if sum(attempt.has_failed for attempt in made) > limit:
            return True
        if self.spec.template.spec.restart_policy != "OnFailure":
            return False
        count = sum(restarts(attempt.status) for attempt in made if attempt.is_active and attempt.status is not None)
        return count > 0 if limit == 0 else count >= limit

    def _index_failure(self, made: list[_Attempt]) -> str:
        by_index: dict[str, list[_Attempt]] = {}
        for attempt in made:
            by_index.setdefault(attempt.pod.metadata.annotations[COMPLETION_INDEX], []).append(attempt)
        given_up = sum(self._has_given_up(attempts) for attempts in by_index.values())
        most = self.spec.max_failed_indexes
        if most is not None and given_up > most:
            return "MaxFailedIndexesExceeded"
        succeeded = sum(attempt.has_succeeded for attempt in made)
        return "FailedIndexes" if given_up and given_up + succeeded == self.spec.completions else ""

    def _deadline(self, made: list[_Attempt]) -> datetime | None:
        """activeDeadlineSeconds after the first pod's start."""
        starts = [each.status.start_time for each in made if each.status is not None and each.status.start_time]
        if self.spec.active_deadline_seconds is None or not starts:
            return None
        return min(starts) + timedelta(seconds=self.spec.active_deadline_seconds)

    # -- pods

    def _pod(self, index: int | None, number: int) -> Pod:
        """The pod of a place, which is always the same."""
        if (index, number) not in self._known:
            self._known[index, number] = self._make(index, number)
        return self._known[index, number]

    def _make(self, index: int | None, number: int) -> Pod:
        base = self.name.name if index is None else f"{self.name.name}-{index}"
        name = f"{base[:57]}-{suffix(base, number)}"
        labels = {
            CONTROLLER_UID: self.name.uid,
            "controller-uid": self.name.uid,
            JOB_NAME: self.name.name,
            "job-name": self.name.name,
        }
        template = self.spec.template
        if index is None:
            return self.maker.from_template(self.name, template, name, labels=labels)
        marks = {COMPLETION_INDEX: str(index)}
        return self.maker.from_template(
            self.name,
            template,
            name,
            labels={**labels, **marks},
            annotations=marks,
            spec=_indexed(template.spec, f"{self.name.name}-{index}"),
        )


def expand_job(job: Job, maker: PodMaker) -> JobRun:
    """A job of a file."""
    owner = owner_of(job, job.metadata)
    return JobRun(owner=str(owner), name=owner, spec=job.spec, maker=maker)


def expand_cron_job(cron_job: CronJob, maker: PodMaker) -> JobRun:
    """The job of a CronJob, made now instead of at its time."""
    template = cron_job.spec.job_template
    metadata = replace(
        template.metadata,
        name=cron_job.metadata.name + NOW_SUFFIX,
        namespace=cron_job.metadata.namespace,
        annotations={**template.metadata.annotations, **INSTANTIATED},
    )
    return expand_job(with_defaults(Job(metadata=metadata, spec=template.spec)), maker)


def _indexed(spec: PodSpec, hostname: str) -> PodSpec:
    """The spec of a pod with its index in the environment."""
    return replace(
        spec,
        hostname=hostname,
        init_containers=tuple(_with_index(each) for each in spec.init_containers),
        containers=tuple(_with_index(each) for each in spec.containers),
    )


def _with_index(container: Container) -> Container:
    if any(variable.name == INDEX_VARIABLE for variable in container.env):
        return container
    reference = ObjectFieldSelector(api_version="v1", field_path=f"metadata.labels['{COMPLETION_INDEX}']")
    variable = EnvVar(name=INDEX_VARIABLE, value_from=EnvVarSource(field_ref=reference))
    return replace(container, env=(*container.env, variable))
