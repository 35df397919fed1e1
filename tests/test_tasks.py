"""Background tasks of one owner: failures are logged by name, and `close` leaves none."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from podwright.tasks import END_LIMIT_S, Tasks
from tests.agent.fakes.time import run_virtual


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def fail() -> None:
    raise RuntimeError("broken")


async def test_a_task_that_fails_is_logged_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    task = tasks.start(fail(), name="watch pod 1")
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert "watch pod 1" in caplog.text
    assert "broken" in caplog.text
    assert len(tasks) == 0


async def test_the_failure_of_a_job_is_its_callers_alone(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    with pytest.raises(RuntimeError, match="broken"):
        await tasks.job(fail(), name="one job")
    assert caplog.text == ""


async def test_close_ends_what_runs() -> None:
    tasks = Tasks()
    running = [tasks.start(forever(), name=f"number {number}") for number in range(3)]
    await asyncio.sleep(0)
    await tasks.close()
    assert all(task.cancelled() for task in running)
    assert len(tasks) == 0


async def test_close_ends_what_a_task_starts_as_it_ends() -> None:
    tasks = Tasks()
    late: list[asyncio.Task[None]] = []

    async def restart() -> None:
        try:
            await forever()
        finally:
            late.append(tasks.start(forever(), name="second"))

    tasks.start(restart(), name="first")
    await asyncio.sleep(0)
    await tasks.close()
    assert [task.cancelled() for task in late] == [True]


def test_a_task_that_never_ends_is_named_and_left(caplog: pytest.LogCaptureFixture) -> None:
    """On virtual time: `close` cancels it again and again, says so, and comes back."""

    async def run() -> float:
        over = False

        async def deaf() -> None:
            while not over:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(3600)

        tasks, loop = Tasks(), asyncio.get_running_loop()
        task = tasks.start(deaf(), name="a deaf one")
        await asyncio.sleep(0)
        began = loop.time()
        await tasks.close()
        took_s = loop.time() - began
        over = True
        task.cancel()
        await asyncio.wait({task})
        return took_s

    assert run_virtual(run()) == pytest.approx(END_LIMIT_S)
    assert "task does not end: name=a deaf one" in caplog.text
    assert "task does not end and is left behind: name=a deaf one" in caplog.text


async def test_a_task_may_close_its_own_owner() -> None:
    tasks = Tasks()
    other = tasks.start(forever(), name="other")
    await tasks.job(tasks.close(), name="closer")
    assert other.cancelled()


async def test_settle_lets_tasks_end_before_it_cancels_the_rest() -> None:
    tasks = Tasks()
    go_on = asyncio.Event()

    async def wait() -> int:
        await go_on.wait()
        return 7

    ends, stays = tasks.job(wait(), name="ends"), tasks.job(forever(), name="stays")
    go_on.set()
    await tasks.settle(0.05)
    assert ends.result() == 7
    assert stays.cancelled()
