"""Which pods end together before the machine does, and what is remembered of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config.machine_sections import PriorityGrace, ShutdownSection
from podwright.agent.pods.phases import FAILED, SUCCEEDED
from podwright.agent.shutdown.admission import ShutdownCheck
from podwright.agent.shutdown.groups import ShutdownGroup, grace_s, groups, periods, total_s
from podwright.agent.shutdown.manager import CAUSE
from podwright.agent.shutdown.state_file import NAME, ShutdownFile, ShutdownTimes
from podwright.agent.workers.ending import ended
from podwright.k8s.objects import PodCondition, PodStatus
from tests.agent.fakes.pods import pod

CRITICAL = 2_000_000_000


def config(**fields: Any) -> ShutdownSection:
    return ShutdownSection(**{"grace_s": 0.0, "critical_grace_s": 0.0, "grace_by_priority": (), **fields})


def graces(*pairs: tuple[int, int]) -> tuple[PriorityGrace, ...]:
    return tuple(PriorityGrace(priority=priority, grace_s=seconds) for priority, seconds in pairs)


@pytest.mark.parametrize(
    ("found", "by_priority", "expected"),
    [
        (config(), True, ()),
        (config(grace_s=30.0, critical_grace_s=10.0), True, graces((0, 20), (CRITICAL, 10))),
        (config(grace_s=30.0), False, graces((0, 30), (CRITICAL, 0))),
        (config(grace_s=5.0, critical_grace_s=6.0), True, ()),
        (config(grace_by_priority=graces((5, 1), (-5, 2))), True, graces((-5, 2), (5, 1))),
        (config(grace_by_priority=graces((5, 1)), grace_s=3.0), False, graces((0, 3), (CRITICAL, 0))),
    ],
)
def test_periods(found: ShutdownSection, by_priority: bool, expected: tuple[PriorityGrace, ...]) -> None:
    assert periods(found, by_priority=by_priority) == expected


def test_a_pod_belongs_to_the_priority_below_its_own() -> None:
    found = graces((0, 1), (10, 2), (100, 3))
    pods = [
        pod(name, priority=value)
        for name, value in [("none", None), ("low", -3), ("ten", 10), ("between", 99), ("top", 10**9)]
    ]
    shown = [(group.grace_s, [each.metadata.name for each in group.pods]) for group in groups(found, pods)]
    assert shown == [(1, ["none", "low"]), (2, ["ten", "between"]), (3, ["top"])]


@given(
    st.lists(st.integers(-100, 100), min_size=1, max_size=6, unique=True),
    st.lists(st.integers(-150, 150), max_size=12),
)
def test_every_pod_is_in_one_group_and_groups_go_upwards(priorities: list[int], values: list[int]) -> None:
    found = graces(*((priority, index) for index, priority in enumerate(sorted(priorities))))
    pods = [pod(f"p{index}", priority=value) for index, value in enumerate(values)]
    made = groups(found, pods)
    assert sorted(each.metadata.name for group in made for each in group.pods) == sorted(
        each.metadata.name for each in pods
    )
    highest = [max(each.spec.priority or 0 for each in group.pods) for group in made]
    assert highest == sorted(highest)
    assert total_s(found) >= sum(group.grace_s for group in made)


@pytest.mark.parametrize(("own_s", "expected"), [(None, 20), (30, 20), (5, 5), (0, 0)])
def test_a_pods_grace_may_be_shorter_than_its_groups(own_s: int | None, expected: int) -> None:
    group = ShutdownGroup(grace_s=20, pods=())
    assert grace_s(pod(termination_grace_period_seconds=own_s), group) == expected


@pytest.mark.parametrize(("phase", "expected"), [("Running", FAILED), (SUCCEEDED, SUCCEEDED)])
def test_the_status_says_why(phase: str, expected: str) -> None:
    other = PodCondition(type="Ready", status="True")
    status = ended(PodStatus(phase=phase, conditions=(other,)), pod(), CAUSE)
    message = "Pod was terminated in response to imminent node shutdown."
    assert (status.phase, status.reason, status.message) == (expected, "Terminated", message)
    assert status.conditions[0] == other
    disruption = status.conditions[1]
    assert (disruption.type, disruption.reason) == ("DisruptionTarget", "TerminationByKubelet")


def test_new_pods_are_refused_meanwhile() -> None:
    assert ShutdownCheck(lambda: False)(pod(), []) is None
    refusal = ShutdownCheck(lambda: True)(pod(source="file"), [])
    assert refusal is not None
    assert (refusal.reason, refusal.message) == ("NodeShutdown", "Pod was rejected as the node is shutting down.")


def test_the_times_outlive_the_agent(tmp_path: Path) -> None:
    file = ShutdownFile(str(tmp_path))
    assert file.read() == ShutdownTimes()
    file.write(ShutdownTimes(start_s=1_700_000_000))
    text = json.loads((tmp_path / NAME).read_text())
    assert text == {"startTime": "2023-11-14T22:13:20Z", "endTime": "0001-01-01T00:00:00Z"}
    assert file.read() == ShutdownTimes(start_s=1_700_000_000)
    file.write(ShutdownTimes(start_s=1_700_000_000, end_s=1_700_000_005))
    assert file.read() == ShutdownTimes(start_s=1_700_000_000, end_s=1_700_000_005)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"startTime": 7}', b"\xff"])
def test_a_damaged_file_is_no_obstacle(tmp_path: Path, text: bytes) -> None:
    (tmp_path / NAME).write_bytes(text)
    assert ShutdownFile(str(tmp_path)).read() == ShutdownTimes()


def test_a_kubelets_file_is_read(tmp_path: Path) -> None:
    text = '{"startTime":"2026-03-01T10:00:00.123456789+01:00","endTime":"2026-03-01T10:00:05.5+01:00"}'
    (tmp_path / NAME).write_text(text)
    times = ShutdownFile(str(tmp_path)).read()
    assert times.end_s - times.start_s == 5
