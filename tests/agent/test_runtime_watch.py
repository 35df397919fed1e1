"""Whether the runtime can be worked with, as time goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from podwright.agent.clock import utc_now
from podwright.agent.runtime.watch import RuntimeWatch
from podwright.errors import FailedPrecondition, Unavailable
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual


def watched(check: Callable[[FakeRuntime, RuntimeWatch], Awaitable[None]]) -> None:
    async def run() -> None:
        clock = VirtualClock()
        runtime = FakeRuntime(clock)
        watch = RuntimeWatch(runtime, clock)
        try:
            await check(runtime, watch)
        finally:
            await watch.close()

    run_virtual(run())


def test_a_runtime_that_comes_late_is_waited_for() -> None:
    async def check(runtime: FakeRuntime, watch: RuntimeWatch) -> None:
        runtime.down = Unavailable("connection refused")
        waiting = asyncio.create_task(watch.first_answer("unix:///run/x.sock"))
        await asyncio.sleep(3600)
        assert not waiting.done()
        assert "connection refused" in watch.problem()
        runtime.down = None
        await asyncio.sleep(3)
        assert waiting.done()
        assert watch.problem() == ""
        assert watch.version.name == "fake"

    watched(check)


def test_the_log_says_what_is_waited_for_since_when_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    async def check(runtime: FakeRuntime, watch: RuntimeWatch) -> None:
        began = utc_now(runtime.clock).isoformat(timespec="seconds").replace("+00:00", "Z")
        runtime.down = Unavailable("no process listens on /run/x.sock")
        waiting = asyncio.create_task(watch.first_answer("unix:///run/x.sock"))
        await asyncio.sleep(50)
        line = f"the agent waits for a container runtime: endpoint=unix:///run/x.sock since={began} reason="
        remedy = "remedy=start it, or choose another one with --container-runtime-endpoint"
        assert caplog.messages == [f"{line}no process listens on /run/x.sock {remedy}"]
        runtime.down = FailedPrecondition("no")
        await asyncio.sleep(3)
        assert caplog.messages[1:] == [f"{line}no {remedy}"]
        await asyncio.sleep(60)
        assert caplog.messages[2:] == [f"{line}no {remedy}"]
        runtime.down = None
        await waiting
        await asyncio.sleep(3600)
        assert len(caplog.messages) == 3

    watched(check)


def test_the_log_says_soon_that_a_runtime_keeps_silent(caplog: pytest.LogCaptureFixture) -> None:
    async def check(runtime: FakeRuntime, watch: RuntimeWatch) -> None:
        never = asyncio.Event()
        runtime.version = never.wait  # type: ignore[method-assign,assignment] # a call that hangs
        waiting = asyncio.create_task(watch.first_answer("unix:///run/x.sock"))
        await asyncio.sleep(10)
        [message] = caplog.messages
        assert " reason=it has not answered the first call yet remedy=" in message
        waiting.cancel()

    watched(check)


def test_a_runtime_that_dies_while_the_agent_starts_is_asked_again() -> None:
    async def check(runtime: FakeRuntime, watch: RuntimeWatch) -> None:
        await watch.first_answer("x")
        runtime.down = Unavailable("connection refused")
        asking = asyncio.create_task(watch.insisted(runtime.sandboxes, "x"))
        await asyncio.sleep(60)
        assert not asking.done()
        runtime.down = None
        await asyncio.sleep(5)
        assert asking.result() == []

    watched(check)


def test_what_a_runtime_refuses_is_not_asked_again() -> None:
    async def check(runtime: FakeRuntime, watch: RuntimeWatch) -> None:
        runtime.down = FailedPrecondition("no")
        with pytest.raises(FailedPrecondition):
            await watch.insisted(runtime.sandboxes, "x")

    watched(check)


def test_a_runtime_that_falls_silent_is_down_after_half_a_minute() -> None:
    async def check(runtime: FakeRuntime, watch: RuntimeWatch) -> None:
        await watch.first_answer("x")
        watch.start()
        await asyncio.sleep(12)
        runtime.down = Unavailable("gone")
        await asyncio.sleep(20)
        assert watch.problem() == ""
        await asyncio.sleep(12)
        assert "has not answered for" in watch.problem()
        runtime.down = None
        await asyncio.sleep(6)
        assert watch.problem() == ""

    watched(check)


def test_a_runtime_that_hangs_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def check(runtime: FakeRuntime, watch: RuntimeWatch) -> None:
        await watch.first_answer("x")
        watch.start()
        runtime.hangs.add("state")
        await asyncio.sleep(29)
        assert "does not answer" not in caplog.text
        await asyncio.sleep(100)
        assert caplog.text.count("the runtime does not answer, it or the machine may hang") == 1

    watched(check)


def test_the_network_is_a_matter_of_its_own() -> None:
    async def check(runtime: FakeRuntime, watch: RuntimeWatch) -> None:
        runtime.network_ready = False
        await watch.first_answer("x")
        watch.start()
        assert watch.problem() == ""
        assert watch.network_problem().startswith("NoNetwork")
        runtime.network_ready = True
        await asyncio.sleep(6)
        assert watch.network_problem() == ""

    watched(check)
