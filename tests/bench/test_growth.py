"""Steps of a growth, on a target that only counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from podwright.bench.options import BenchOptions
from podwright.bench.recorder import Recorder
from podwright.bench.suites.base import Bench
from podwright.bench.suites.growth import grow
from podwright.bench.targets.base import BenchTarget, StartedPod
from podwright.errors import Unavailable


class CountingTarget:
    """Starts pods that are numbers; every `fails_each`th fails."""

    def __init__(self, *, fails_each: int = 0, start_s: float = 0.0) -> None:
        self.running = 0
        self._tried = 0
        self._fails_each = fails_each
        self._start_s = start_s

    async def start_pod(self) -> StartedPod:
        """A pod, or Unavailable."""
        self._tried += 1
        number = self._tried
        await asyncio.sleep(self._start_s)
        if self._fails_each and number % self._fails_each == 0:
            raise Unavailable("no more")
        self.running += 1
        return StartedPod(id=str(number), container_id="", steps_ms={"RunPodSandbox": 1.0})

    async def end_pod(self, pod: StartedPod) -> dict[str, float]:
        """One less."""
        self.running -= 1
        return {"StopPodSandbox": 1.0}


async def grown(target: CountingTarget, **options: Any) -> tuple[list[int], Recorder]:
    recorder, seen = Recorder(), []
    bench = Bench(
        target=cast("BenchTarget", target),
        sheet=recorder.sheet("density", "t"),
        options=BenchOptions(**options),
        daemons=(),
    )

    async def probe(_: Bench, pods: Sequence[StartedPod]) -> None:
        seen.append(len(pods))

    await grow(bench, (probe,))
    return seen, recorder


async def test_every_step_is_probed_and_all_pods_go() -> None:
    target = CountingTarget()
    seen, recorder = await grown(target, steps=(2, 5, 9))
    assert (seen, target.running) == ([2, 5, 9], 0)
    ended = [each for each in recorder.measurements() if each.conditions == {"all_of": 9} and each.name == "teardown"]
    assert [len(each.samples) for each in ended] == [9]


async def test_pods_that_fail_are_counted_and_not_tried_again() -> None:
    target = CountingTarget(fails_each=3)
    seen, recorder = await grown(target, steps=(3, 6))
    assert seen == [2, 4]
    assert sum(each.failures for each in recorder.measurements()) == 2
    assert recorder.errors == ["density, t: pod start: no more"]


async def test_a_slow_target_is_spared_the_larger_steps() -> None:
    target = CountingTarget(start_s=0.02)
    seen, recorder = await grown(target, steps=(2, 500), step_limit_s=0.01)
    assert (seen, target.running) == ([2], 0)
    assert recorder.gaps == ["density, t: more than 2 pods: 2 more took 0 s"]
