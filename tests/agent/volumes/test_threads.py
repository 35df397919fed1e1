"""Blocking work in threads."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from podwright.agent.volumes import threads
from podwright.agent.volumes.threads import THREADS_MAX, Threads
from podwright.conformance.patience import patient

HUNG = """
import asyncio, threading
from podwright.agent.volumes.threads import Threads

async def main():
    task = asyncio.ensure_future(Threads().run("a", threading.Event().wait))
    await asyncio.sleep(0.05)
    task.cancel()

asyncio.run(main())
"""


def fail() -> None:
    raise OSError("no")


async def test_a_result_and_a_failure_come_back() -> None:
    work = Threads()
    assert await work.run("a", lambda: 7) == 7
    with pytest.raises(OSError, match="no"):
        await work.run("a", fail)
    await work.settled("a")


async def test_threads_are_used_again_and_end_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "IDLE_S", 0.5)
    work = Threads()
    seen = {await work.run("a", threading.current_thread) for _ in range(20)}
    assert len(seen) < 20  # a call may come before the thread of the last one is idle again
    for thread in seen:
        await asyncio.to_thread(thread.join, patient(60))
        assert not thread.is_alive()
    assert await work.run("a", lambda: 7) == 7


async def test_no_more_than_the_limit_run_at_once() -> None:
    work = Threads()
    lock, running, most = threading.Lock(), 0, 0

    def count() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1

    await asyncio.gather(*(work.run(str(number), count) for number in range(5 * THREADS_MAX)))
    assert 1 < most <= THREADS_MAX


async def test_who_gave_up_can_learn_of_the_end() -> None:
    work, go_on = Threads(), threading.Event()
    task = asyncio.ensure_future(work.run("a", go_on.wait))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    waiting = asyncio.ensure_future(work.settled("a"))
    await work.settled("b")
    await asyncio.sleep(0.01)
    assert not waiting.done()
    go_on.set()
    await waiting


def test_a_thread_that_hangs_does_not_keep_the_process() -> None:
    subprocess.run([sys.executable, "-c", HUNG], check=True, timeout=patient(60))
