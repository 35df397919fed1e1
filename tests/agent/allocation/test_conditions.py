"""What the conditions about a resize say, and when that is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from podwright.agent.allocation.conditions import ERROR, IN_PROGRESS, INFEASIBLE, PENDING, ResizeConditions
from podwright.k8s.objects import Pod, PodCondition, PodStatus
from tests.agent.fakes.pods import pod

START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


def of(generation: int) -> Pod:
    web = pod()
    return replace(web, metadata=replace(web.metadata, generation=generation))


def said(conditions: ResizeConditions) -> list[tuple[str, str, str, int]]:
    return [(each.type, each.reason, each.message, each.observed_generation) for each in conditions.of("uid-web")]


def test_a_resize_waits_begins_fails_and_ends() -> None:
    conditions = ResizeConditions(Clock().now)
    assert conditions.defer(of(2), "OutOfcpu", "no room")
    assert said(conditions) == [(PENDING, "Deferred", "no room", 2)]
    assert not conditions.defer(of(2), "OutOfcpu", "no room at all")  # the same reason, the same generation
    assert conditions.defer(of(3), INFEASIBLE, "never")
    assert conditions.defer(of(3), "OutOfmemory", "no room")
    conditions.begin(of(3))
    assert said(conditions) == [(IN_PROGRESS, "", "", 3)]
    assert conditions.progress(of(4), ERROR, "it is in use") == (3, True)
    assert conditions.progress(of(4), ERROR, "it is in use") == (3, False)
    assert conditions.progress(of(4)) == (3, False)  # an error stays until the resize is done
    assert said(conditions) == [(IN_PROGRESS, ERROR, "it is in use", 3)]
    assert conditions.finish("uid-web") == 3
    assert conditions.finish("uid-web") is None
    assert said(conditions) == []


def test_the_time_of_transition_follows_the_reason() -> None:
    conditions = ResizeConditions(Clock().now)
    conditions.defer(of(2), "OutOfcpu", "")
    first = conditions.pending("uid-web")
    conditions.defer(of(3), "OutOfcpu", "")
    second = conditions.pending("uid-web")
    assert first is not None
    assert second is not None
    assert first.last_transition_time == second.last_transition_time
    conditions.defer(of(3), INFEASIBLE, "")
    third = conditions.pending("uid-web")
    assert third is not None
    assert third.last_transition_time != first.last_transition_time


def test_what_the_api_shows_is_taken_over_once() -> None:
    conditions = ResizeConditions(Clock().now)
    shown = PodCondition(type=PENDING, status="True", reason="Deferred", observed_generation=5)
    web = replace(of(5), status=PodStatus(conditions=(shown,)))
    conditions.recover([web])
    assert said(conditions) == [(PENDING, "Deferred", "", 5)]
    conditions.begin(web)
    conditions.recover([web])
    assert said(conditions) == [(IN_PROGRESS, "", "", 5)]
    conditions.retain(())
    assert said(conditions) == []
