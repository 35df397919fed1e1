"""Retries join the job; nobody's cancellation stops it."""

from __future__ import annotations

import asyncio

import pytest

from podwright.runtime.single_flight import SingleFlight


async def test_callers_share_one_job() -> None:
    flight: SingleFlight[str, int] = SingleFlight("test")
    started = 0

    async def job() -> int:
        nonlocal started
        started += 1
        await asyncio.sleep(0.01)
        return 7

    assert await asyncio.gather(*(flight.join("k", job) for _ in range(5))) == [7] * 5
    assert started == 1
    assert await flight.join("k", job) == 7
    assert started == 2


async def test_a_cancelled_caller_leaves_the_job_to_the_next() -> None:
    flight: SingleFlight[str, str] = SingleFlight("test")
    release = asyncio.Event()

    async def job() -> str:
        await release.wait()
        return "done"

    first = asyncio.create_task(flight.join("k", job))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert "k" in flight
    second = asyncio.create_task(flight.join("k", job))
    release.set()
    assert await second == "done"
    assert "k" not in flight


async def test_failures_reach_everybody_and_are_not_kept() -> None:
    flight: SingleFlight[str, None] = SingleFlight("test")

    async def job() -> None:
        await asyncio.sleep(0)
        raise ValueError("once")

    outcomes = await asyncio.gather(*(flight.join("k", job) for _ in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["once"] * 3
    assert "k" not in flight


async def test_settling_cancels_what_is_late() -> None:
    flight: SingleFlight[str, None] = SingleFlight("test")
    undone = False

    async def job() -> None:
        nonlocal undone
        try:
            await asyncio.sleep(100)
        finally:
            undone = True

    caller = asyncio.create_task(flight.join("k", job))
    await asyncio.sleep(0)
    await flight.settle(0.01)
    assert undone
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_a_job_that_does_not_outlive_its_callers_ends_with_the_last() -> None:
    flight: SingleFlight[str, None] = SingleFlight("test", outlives_callers=False)
    running, cancelled = asyncio.Event(), 0

    async def job() -> None:
        nonlocal cancelled
        running.set()
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)  # undoes what it did
            cancelled += 1
            raise

    callers = [asyncio.create_task(flight.join("k", job)) for _ in range(2)]
    await running.wait()
    callers[0].cancel()
    await asyncio.wait(callers[:1])
    assert (cancelled, "k" in flight) == (0, True)
    callers[1].cancel()
    await asyncio.sleep(0)
    assert "k" not in flight  # whoever comes now starts anew
    await asyncio.wait(callers[1:])
    assert cancelled == 1


async def test_cancelling_everything_waits_for_the_undoing() -> None:
    flight: SingleFlight[str, None] = SingleFlight("test", outlives_callers=False)
    undone = 0

    async def job() -> None:
        nonlocal undone
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(0.01)
            undone += 1

    callers = [asyncio.create_task(flight.join(key, job)) for key in "ab"]
    await asyncio.sleep(0.001)
    callers[0].cancel()
    await asyncio.sleep(0.001)  # its job is ending already
    await flight.cancel()
    assert undone == 2
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2
    await flight.cancel()
