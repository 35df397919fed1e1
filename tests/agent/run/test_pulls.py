"""Pulls as a run shows them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import pytest

from podwright.agent.run.pulls import ReportedImages
from podwright.agent.runtime.records import ImageStatus
from podwright.api.pull_state import PullState
from podwright.errors import PodwrightError, Unavailable
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.agent.run.recording import Recorder

IMAGE = "r.example/i:1"


@contextlib.asynccontextmanager
async def followed(image: str, tell: Callable[[PullState], None]) -> AsyncIterator[None]:
    tell(PullState(reference=image, stage="resolving"))
    yield


def lines_of(
    work: Callable[[ReportedImages], Coroutine[Any, Any, None]], failures: Sequence[PodwrightError] = ()
) -> list[str]:
    """What is shown while pulls take five seconds."""
    recorder, clock = Recorder(), VirtualClock()
    runtime = FakeRuntime(clock)
    runtime.pull_s = 5.0
    runtime.pullable[IMAGE] = ImageStatus(id="sha256:1", size_bytes=2_000_000)
    runtime.failures["pull"] = list(failures)
    run_virtual(work(ReportedImages(runtime, recorder, clock, followed)))
    return recorder.lines


def test_a_pull_is_shown_with_its_time() -> None:
    async def work(images: ReportedImages) -> None:
        assert await images.pull(IMAGE, None, None)
        assert await images.image(IMAGE) is not None
        assert len(await images.images()) == 1
        await images.remove_image(IMAGE)

    first, *_, last = lines_of(work)
    assert first == f"pulling {IMAGE}"
    assert last == f"pulled {IMAGE} in 5.0 s, 2.0 MB"


def test_a_pull_that_fails_ends_its_display() -> None:
    async def work(images: ReportedImages) -> None:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await images.pull(IMAGE, None, None)

    lines = lines_of(work, [Unavailable("no answer"), Unavailable("no answer")])
    assert lines.count(f"pulling {IMAGE}") == 2
    assert not any(line.startswith("pulled") for line in lines)


def test_two_pulls_of_one_image_are_shown_as_one() -> None:
    async def work(images: ReportedImages) -> None:
        await asyncio.gather(*(images.pull(IMAGE, None, None) for _ in range(3)))
        await images.pull(IMAGE, None, None)

    lines = lines_of(work)
    assert lines.count(f"pulling {IMAGE}") == 2
    assert sum(line.startswith("pulled") for line in lines) == 2
