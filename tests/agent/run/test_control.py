"""Which pods a run wants as time goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from podwright.agent.run.control import Control, RunSnapshot, look
from podwright.agent.run.plan import RunPlan
from podwright.agent.run.workloads import WorkloadState
from podwright.agent.sources.memory import MemorySource
from podwright.k8s.objects import PodStatus
from tests.agent.fakes.time import START_NS, VirtualClock, run_virtual
from tests.agent.run.build import (
    START,
    at,
    ended,
    job_text,
    names,
    plan,
    pod_text,
    running,
    service_text,
    workload,
)

CLOCK_S = START_NS / 1e9 - START.timestamp()  # from START to the beginning of the virtual clock
CLIENT_AND_WEB = (pod_text("client"), pod_text("web", metadata="labels: {app: web}"), service_text())


def by_name(made: RunPlan, **statuses: PodStatus) -> dict[str, PodStatus]:
    uids = {pod.metadata.name: pod.metadata.uid for pod in made.all_pods()}
    return {uids[name]: status for name, status in statuses.items()}


@pytest.mark.parametrize(
    ("statuses", "over", "failed"),
    [
        pytest.param({}, False, (), id="nothing known"),
        pytest.param({"a": ended(), "b": running()}, False, (), id="one runs"),
        pytest.param({"a": ended(), "b": ended()}, True, (), id="all are over"),
        pytest.param({"a": ended(1), "b": running()}, True, ("Pod default/a",), id="one has failed"),
    ],
)
def test_a_run_is_over_with_its_last_or_its_first_failed_pod(
    statuses: dict[str, PodStatus], over: bool, failed: tuple[str, ...]
) -> None:
    made = plan(pod_text("a"), pod_text("b"))
    found = look(made, by_name(made, **statuses), START, START)
    assert found.is_over is over
    assert tuple(ending.owner for ending in found.failed) == failed


@pytest.mark.parametrize(
    ("statuses", "settled"),
    [
        pytest.param({}, False, id="nothing known"),
        pytest.param({"a": running(ready=True), "b": running()}, False, id="one is not ready"),
        pytest.param({"a": running(ready=True), "b": ended()}, True, id="ready or over"),
    ],
)
def test_a_run_is_settled_when_all_are_ready(statuses: dict[str, PodStatus], settled: bool) -> None:
    made = plan(pod_text("a"), pod_text("b"))
    assert look(made, by_name(made, **statuses), START, START).is_settled is settled


def test_pods_wait_for_the_address_of_a_service_but_not_for_ever() -> None:
    made = plan(*CLIENT_AND_WEB)
    found = look(made, {}, START, START)
    assert names(found.pods) == ["web"]
    assert (found.due, found.is_settled) == (at(30), False)
    found = look(made, by_name(made, web=running("10.0.0.5")), at(1), START)
    assert names(found.pods) == ["client", "web"]
    assert found.pods[0].spec.host_aliases[0].ip == "10.0.0.5"
    assert found.services[0].spec.cluster_ip == "10.0.0.5"
    assert names(look(made, by_name(made, web=running()), at(30), START).pods) == ["client", "web"]


def test_a_pod_that_runs_is_not_taken_back_when_an_address_goes() -> None:
    made = plan(*CLIENT_AND_WEB)
    found = look(made, by_name(made, web=running(), client=running()), at(1), START)
    assert names(found.pods) == ["client", "web"]


def controlled(
    texts: tuple[str, ...], work: Callable[[Control, MemorySource, list[RunSnapshot]], Coroutine[Any, Any, None]]
) -> None:
    async def run() -> None:
        looks: list[RunSnapshot] = []
        source = MemorySource()
        control = Control(plan(*texts), source, VirtualClock(), looks.append)
        control.refresh()
        await work(control, source, looks)
        control.close()

    run_virtual(run())


def test_statuses_bring_the_next_pods() -> None:
    async def work(control: Control, source: MemorySource, looks: list[RunSnapshot]) -> None:
        sets = source.sets()
        (first,) = await anext(sets)
        assert first.metadata.name == "web-0"
        control.note("somebody else's", running(ready=True))
        control.note(first.metadata.uid, running(ready=True))
        assert names(await anext(sets)) == ["web-0", "web-1"]
        assert len(looks) == 2
        assert control.status_of(first.metadata.uid) == running(ready=True)

    controlled((workload("StatefulSet", spec="replicas: 2"),), work)


def test_a_job_tries_again_when_its_time_has_come() -> None:
    async def work(control: Control, source: MemorySource, looks: list[RunSnapshot]) -> None:
        (first,) = looks[0].pods
        control.note(first.metadata.uid, ended(1, seconds=CLOCK_S))
        assert names(looks[-1].pods) == [first.metadata.name]
        await asyncio.sleep(11)
        (_, second) = looks[-1].pods
        control.note(second.metadata.uid, ended(1, seconds=CLOCK_S))
        assert looks[-1].failed[0].reason == "BackoffLimitExceeded"
        assert looks[-1].is_over

    controlled((job_text("backoffLimit: 1"),), work)


def test_time_alone_starts_what_waited() -> None:
    async def work(control: Control, source: MemorySource, looks: list[RunSnapshot]) -> None:
        assert names(looks[-1].pods) == ["web"]
        await asyncio.sleep(31)
        assert names(looks[-1].pods) == ["client", "web"]
        assert not looks[-1].is_over

    controlled(CLIENT_AND_WEB, work)


def test_other_files_replace_the_pods_that_have_changed() -> None:
    async def work(control: Control, source: MemorySource, looks: list[RunSnapshot]) -> None:
        same, old = looks[-1].pods
        control.note(same.metadata.uid, running(ready=True))
        control.replace(plan(pod_text("a"), pod_text("b", container="tty: true")))
        kept, new = looks[-1].pods
        assert kept.metadata.uid == same.metadata.uid
        assert new.metadata.uid != old.metadata.uid
        assert control.status_of(same.metadata.uid) == running(ready=True)
        assert control.status_of(old.metadata.uid) is None

    controlled((pod_text("a"), pod_text("b")), work)


def test_a_suspended_job_is_over_at_once() -> None:
    found = look(plan(job_text("suspend: true")), {}, START, START)
    assert found.is_over
    assert [ending.state for ending in found.endings] == [WorkloadState.SUCCEEDED]
