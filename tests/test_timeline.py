"""Steps find their place by themselves; what is kept is bounded."""

from __future__ import annotations

import asyncio

import pytest

from podwright import timeline
from podwright.conformance.patience import patient
from podwright.timeline import Step, Timeline


def names(step: Step) -> object:
    """The tree of a step as nested lists of names."""
    return [step.name, *(names(inner) for inner in step.steps)]


async def test_tasks_and_threads_belong_to_who_starts_them() -> None:
    kept = Timeline()

    def in_a_thread() -> None:
        with Step("thread"), Step("inner"):
            pass

    async def in_a_task(name: str) -> None:
        with Step(name):
            await asyncio.sleep(0)

    with kept.call("Run"):
        with Step("first"):
            await asyncio.to_thread(in_a_thread)
        await asyncio.gather(in_a_task("a"), in_a_task("b"))
    (call,) = kept.calls()
    assert names(call) == ["Run", ["first", ["thread", ["inner"]]], ["a"], ["b"]]
    first, a, b = call.steps
    assert call.began <= first.began <= first.ended <= a.began <= b.began <= a.ended <= b.ended <= call.ended


async def test_a_job_goes_on_when_its_caller_has_gone() -> None:
    kept, go_on = Timeline(), asyncio.Event()

    async def job() -> None:
        with Step("job"):
            await go_on.wait()
            with Step("late"):
                pass

    async def serve() -> asyncio.Task[None]:
        with kept.call("Run"):
            running = asyncio.create_task(job())
            await asyncio.sleep(0)
        return running

    running = await serve()
    (call,) = kept.calls()
    assert call.ended
    assert call.under_way() == ["Run", "job"]
    go_on.set()
    await running
    assert names(call) == ["Run", ["job", ["late"]]]


async def test_what_begins_after_the_end_is_not_added() -> None:
    kept, ended = Timeline(), asyncio.Event()

    async def watch() -> None:
        await ended.wait()
        with Step("later"):
            pass

    with kept.call("Start"), Step("step"):
        watching = asyncio.create_task(watch())
    ended.set()
    await watching
    assert names(kept.calls()[0]) == ["Start", ["step"]]


def test_outside_of_calls_nothing_is_kept() -> None:
    kept = Timeline()
    with Step("alone"), Step("inner"):
        pass
    assert kept.calls() == []


def test_quick_calls_without_steps_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Timeline()
    with kept.call("List"):
        assert [call.name for call in kept.calls()] == ["List"]
    assert kept.calls() == []
    monkeypatch.setattr(timeline, "SLOW_NS", 0)
    with kept.call("List"):
        pass
    assert [call.name for call in kept.calls()] == ["List"]


def test_bounds() -> None:
    kept = Timeline()
    for number in range(timeline.KEPT_CALLS + 1):
        with kept.call(str(number)):
            for _ in range(timeline.STEPS_LIMIT + 1 if number == timeline.KEPT_CALLS else 1):
                with Step("step"):
                    pass
    calls = kept.calls()
    assert (len(calls), calls[0].name, len(calls[-1].steps)) == (timeline.KEPT_CALLS, "1", timeline.STEPS_LIMIT)


def test_failures_are_told_where_they_happened() -> None:
    kept = Timeline()

    def serve() -> None:
        with kept.call("Run"):
            with Step("good"):
                pass
            with Step("bad"):
                raise ValueError("no" * timeline.FAILURE_LIMIT)

    with pytest.raises(ValueError, match="no"):
        serve()
    (call,) = kept.calls()
    assert [len(step.failure) for step in (call, *call.steps)] == [timeline.FAILURE_LIMIT, 0, timeline.FAILURE_LIMIT]


@pytest.mark.parametrize(
    ("beginning", "found"),
    [
        ("", ["RunPodSandbox", "CreateContainer", "StartContainer", "PullImage", "RunPodSandbox"]),
        ("pod", ["RunPodSandbox", "CreateContainer", "StartContainer"]),
        ("contain", ["CreateContainer", "StartContainer", "RunPodSandbox"]),
        ("docker.io/library/b", ["PullImage"]),
        ("web", ["RunPodSandbox", "CreateContainer", "StartContainer"]),
        ("default/web", ["RunPodSandbox", "CreateContainer", "StartContainer"]),
        ("main", ["RunPodSandbox", "CreateContainer", "StartContainer"]),
        ("web/main", ["RunPodSandbox", "CreateContainer", "StartContainer"]),
        ("failed", ["RunPodSandbox"]),
        ("eb", []),
        ("none", []),
    ],
)
def test_what_belongs_to_a_pod(beginning: str, found: list[str]) -> None:
    kept = Timeline()
    for name, ids, name_path in (
        ("RunPodSandbox", ("pod1",), "default/web"),
        ("CreateContainer", ("pod1", "container1"), "default/web/main"),
        ("StartContainer", ("container1",), ""),
        ("PullImage", ("docker.io/library/busybox",), ""),
        ("RunPodSandbox", (), "default/failed"),
    ):
        with kept.call(name) as call, Step("step"):
            call.ids, call.name_path = ids, name_path
    assert sorted(call.name for call in kept.calls(beginning)) == sorted(found)


async def test_what_hangs_is_logged_with_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "LOOK_S", 0.01)
    said: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(timeline.log, "info", lambda words, *values: said.put_nowait(words % values))
    kept = Timeline()
    watching = asyncio.create_task(kept.watch())
    try:
        with kept.call("RunPodSandbox") as call, Step("network"), Step("portmap"):
            call.ids = ("abc",)
            line = await asyncio.wait_for(said.get(), patient(60))
    finally:
        watching.cancel()
    assert line.endswith("id=abc step=RunPodSandbox > network > portmap")
