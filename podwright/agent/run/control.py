"""Decides which pods a run wants, and whether it is over. `look` is the decision (pure), `Control` sets the source.

The agent reports statuses to `note`. Their consequences (the next pod of a StatefulSet, another attempt of a job, a
service's address) are in the next set of pods that its source yields.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from podwright.agent.clock import Clock, utc_now
from podwright.agent.run.plan import RunPlan
from podwright.agent.run.services import Backends
from podwright.agent.run.statuses import Statuses, is_ready, is_terminal
from podwright.agent.run.workloads import WorkloadState
from podwright.agent.sources.memory import MemorySource
from podwright.k8s.objects import Pod, PodStatus, Service

SERVICE_WAIT_S = 30.0  # how long pods wait for the address of a service's first pod


class WorkloadEnd(msgspec.Struct, frozen=True, kw_only=True):
    """A workload that has ended. `reason` is empty if its pods show why it failed."""

    owner: str
    state: WorkloadState
    reason: str = ""


class RunSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A run at one moment. `due` is the next look if nothing happens before, `owners` has each pod's workload."""

    pods: tuple[Pod, ...]
    owners: Mapping[str, str]
    services: tuple[Service, ...]
    endings: tuple[WorkloadEnd, ...]
    due: datetime | None
    is_over: bool
    is_settled: bool  # everything is ready or has succeeded: a run with --detach ends

    @property
    def failed(self) -> tuple[WorkloadEnd, ...]:
        """The workloads that have failed."""
        return tuple(each for each in self.endings if each.state is WorkloadState.FAILED)


def look(plan: RunPlan, statuses: Statuses, now: datetime, began: datetime) -> RunSnapshot:
    """The consequences of the statuses. A run is over if a workload has failed, or if none runs any more."""
    verdicts = [(workload, workload.verdict(statuses, now)) for workload in plan.workloads]
    endings = tuple(
        WorkloadEnd(owner=workload.owner, state=verdict.state, reason=verdict.reason)
        for workload, verdict in verdicts
        if verdict.state is not WorkloadState.RUNNING
    )
    by_owner = {workload.owner: workload.pods(statuses, now) for workload in plan.workloads}
    wanted = tuple(pod for pods in by_owner.values() for pod in pods)
    backends = Backends(services=plan.services, pods=wanted, statuses=statuses)
    wait_ends = began + timedelta(seconds=SERVICE_WAIT_S)
    held = frozenset(pod.metadata.uid for pod in wanted if _is_held(pod, backends, now < wait_ends))
    pods = tuple(backends.with_names(pod) for pod in wanted if pod.metadata.uid not in held)
    times = [time for workload in plan.workloads if (time := workload.due(statuses, now)) is not None]
    has_failed = any(each.state is WorkloadState.FAILED for each in endings)
    return RunSnapshot(
        pods=pods,
        owners={pod.metadata.uid: owner for owner, members in by_owner.items() for pod in members},
        services=backends.listed(),
        endings=endings,
        due=min([*times, *([wait_ends] if held else [])], default=None),
        is_over=has_failed or len(endings) == len(plan.workloads),
        is_settled=not held and _is_settled(plan, pods, statuses),
    )


def _is_held(pod: Pod, backends: Backends, may_wait: bool) -> bool:
    """Whether a pod that was never started waits for the address of a service."""
    return may_wait and pod.metadata.uid not in backends.statuses and backends.is_awaited(pod)


def _is_settled(plan: RunPlan, pods: tuple[Pod, ...], statuses: Statuses) -> bool:
    if not all(workload.is_complete(statuses) for workload in plan.workloads):
        return False
    return all(
        (status := statuses.get(pod.metadata.uid)) is not None and (is_ready(status) or is_terminal(status))
        for pod in pods
    )


class Control:
    """Keeps a source up to date with a plan. Belongs to the event loop's thread."""

    def __init__(
        self, plan: RunPlan, source: MemorySource, clock: Clock, changed: Callable[[RunSnapshot], None]
    ) -> None:
        """`changed` is called with every new look."""
        self._plan = plan
        self._source = source
        self._clock = clock
        self._changed = changed
        self._statuses: dict[str, PodStatus] = {}
        self._began = self._now()
        self._timer: asyncio.TimerHandle | None = None
        self._services: tuple[Service, ...] = ()

    def listed(self) -> tuple[Service, ...]:
        """The present services, for containers that start now (`configs.ports.Services`)."""
        return self._services

    def status_of(self, uid: str) -> PodStatus | None:
        """The last status of a pod of this run."""
        return self._statuses.get(uid)

    def note(self, uid: str, status: PodStatus) -> None:
        """Take a pod's new status. Ignores pods of other runs."""
        if uid in self._statuses and self._statuses[uid] != status:
            self._statuses[uid] = status
            self.refresh()

    def replace(self, plan: RunPlan) -> None:
        """Replace the plan, because the files have changed. Pods in both plans run on."""
        self._plan = plan
        wanted = {pod.metadata.uid for pod in plan.all_pods()}
        self._statuses = {uid: status for uid, status in self._statuses.items() if uid in wanted}
        self._began = self._now()
        self.refresh()

    def refresh(self) -> RunSnapshot:
        """Look now, and set the source."""
        found = look(self._plan, self._statuses, self._now(), self._began)
        for pod in found.pods:
            self._statuses.setdefault(pod.metadata.uid, PodStatus())
        self._services = found.services
        self._source.set(found.pods)
        self._arm(found.due)
        self._changed(found)
        return found

    def close(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, due: datetime | None) -> None:
        self.close()
        if due is not None:
            delay_s = max(0.0, (due - self._now()).total_seconds())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.refresh)

    def _now(self) -> datetime:
        return utc_now(self._clock)
