"""The channels of the sync loop, and the queue that wakes it."""

from __future__ import annotations

import asyncio

from podwright.agent.channels import Channels
from podwright.agent.workers.queue import WorkQueue
from tests.agent.fakes.time import run_virtual


def test_a_reader_that_waits_is_woken_when_something_is_due_sooner() -> None:
    async def check() -> None:
        channels: Channels[str] = Channels(news=2)
        queue = WorkQueue(channels.wake)
        loop = asyncio.get_running_loop()
        began = loop.time()
        loop.call_later(1, queue.put, "a", 10.0)
        assert await channels.get(60) is None
        assert loop.time() - began < 2
        loop.call_later(1, queue.put, "b", 20.0)  # later than the first: whoever waits for that one sees it then
        assert await channels.get(5) is None
        assert loop.time() - began >= 5
        channels.wake()
        assert channels.offer("news", "hello")
        assert await channels.get(5) == "hello"  # what is there comes first
        assert await channels.get(5) is None

    run_virtual(check())
