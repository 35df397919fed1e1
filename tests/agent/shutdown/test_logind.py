"""logind on a real D-Bus: locks, the longest delay, news, and a bus that goes away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.agent.clock import SystemClock
from podwright.agent.config.machine_sections import PriorityGrace
from podwright.agent.metrics.shutdown import ShutdownMetrics
from podwright.agent.shutdown.logind import connect_logind
from podwright.agent.shutdown.manager import ShutdownManager, ShutdownPorts
from podwright.agent.shutdown.protocol import LoginManager
from podwright.agent.shutdown.state_file import ShutdownFile
from podwright.agent.workers.ending import Cause
from podwright.conformance.patience import patient
from podwright.errors import Unavailable
from podwright.k8s.objects import Pod
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import pod
from tests.harness.logind import LogindThread

POLL_S = 0.02


@pytest.fixture
def logind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogindThread]:
    with LogindThread(tmp_path) as thread:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", thread.address)
        yield thread


async def until(condition: object) -> None:
    """Wait for what a call without arguments says."""
    assert callable(condition)
    async with asyncio.timeout(patient(60)):
        while not condition():  # noqa: ASYNC110 # it is another thread's
            await asyncio.sleep(POLL_S)


async def test_locks_delays_and_news(logind: LogindThread) -> None:
    found = await connect_logind(str(logind.drop_ins))
    try:
        assert await found.longest_delay_s() == 5.0
        lock = await found.delay_shutdown()
        assert logind.held() == 1
        assert logind.call(lambda each: each.asked) == [
            ["shutdown", "kubelet", "Kubelet needs time to handle node shutdown", "delay"]
        ]
        os.close(lock)
        await until(lambda: logind.held() == 0)
        await found.allow_delay(33)
        assert await found.longest_delay_s() == 33.0
        assert (logind.drop_ins / "99-kubelet.conf").read_text() == (
            "# Kubelet logind override\n[Login]\nInhibitDelayMaxSec=33\n"
        )
        for value in (True, False):
            logind.prepare(is_shutting_down=value)
            assert await found.next_shutdown() is value
        logind.stop()
        with pytest.raises(Unavailable, match="is lost"):
            await found.next_shutdown()
        with pytest.raises(Unavailable):
            await found.longest_delay_s()
    finally:
        await found.close()


async def test_no_bus_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    with pytest.raises(Unavailable, match="there is no D-Bus"):
        await connect_logind()


class Scene:
    """A manager with pods that end when the test says so."""

    def __init__(self, logind: LogindThread, root: Path, *graces: tuple[int, int]) -> None:
        self.pods = [pod("batch", priority=0), pod("web", priority=5), pod("system", priority=2_000_000_000)]
        self.ended: list[tuple[str, int | None]] = []
        self.finish = {each.metadata.name: asyncio.Event() for each in self.pods}
        self.mounted: set[str] = set()
        self.node_changes = 0
        self.events = RecordedEvents()
        self.metrics = ShutdownMetrics()
        self._drop_ins = str(logind.drop_ins)
        found = tuple(PriorityGrace(priority=priority, grace_s=seconds) for priority, seconds in graces)
        ports = ShutdownPorts(
            connect=self.connect,
            active=lambda: self.pods,
            ender=self,
            has_volumes=self.mounted.__contains__,
            node_changed=self.changed,
            file=ShutdownFile(str(root)),
            events=self.events,
            metrics=self.metrics,
            clock=SystemClock(),
        )
        self.manager = ShutdownManager(ports, found)

    async def connect(self) -> LoginManager:
        return await connect_logind(self._drop_ins)

    def changed(self) -> None:
        self.node_changes += 1

    async def end(self, pod: Pod, cause: Cause, grace_s: int | None = None) -> bool:
        assert cause.reason == "Terminated"
        self.ended.append((pod.metadata.name, grace_s))
        await self.finish[pod.metadata.name].wait()
        return True


async def test_pods_end_in_their_order_and_then_the_machine_may_go(logind: LogindThread, tmp_path: Path) -> None:
    scene = Scene(logind, tmp_path, (0, 60), (2_000_000_000, 40))
    running = asyncio.create_task(scene.manager.run())
    try:
        await until(lambda: logind.held() == 1)
        assert (logind.drop_ins / "99-kubelet.conf").exists()  # 5 s were too few
        logind.prepare(is_shutting_down=True)
        await until(lambda: len(scene.ended) == 2)
        assert scene.manager.problem == "node is shutting down"
        assert scene.node_changes == 1
        assert sorted(scene.ended) == [("batch", 30), ("web", 30)]
        assert scene.events.seen == [("", "Shutdown", "Shutdown manager detected shutdown event")]
        assert scene.metrics.start.value() > 0
        assert scene.metrics.end.value() == 0
        scene.mounted.add("uid-web")
        scene.finish["batch"].set()
        scene.finish["web"].set()
        await asyncio.sleep(0.3)
        assert len(scene.ended) == 2  # volumes are still mounted, perhaps by a driver that is a pod of the next group
        assert logind.held() == 1
        scene.mounted.clear()
        await until(lambda: len(scene.ended) == 3)
        scene.finish["system"].set()
        await until(lambda: logind.held() == 0)
        assert scene.metrics.end.value() >= scene.metrics.start.value()
        logind.prepare(is_shutting_down=False)
        await until(lambda: logind.held() == 1)
        assert scene.manager.problem == ""
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await scene.manager.close()
    assert logind.held() == 0


async def test_a_group_that_takes_too_long_is_left_behind(logind: LogindThread, tmp_path: Path) -> None:
    scene = Scene(logind, tmp_path, (0, 1), (5, 1))
    running = asyncio.create_task(scene.manager.run())
    try:
        await until(lambda: logind.held() == 1)
        logind.prepare(is_shutting_down=True)
        await until(lambda: logind.held() == 0)
        assert scene.ended[0] == ("batch", 1)
        assert sorted(scene.ended[1:]) == [("system", 1), ("web", 1)]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await scene.manager.close()


async def test_a_bus_that_comes_back_is_used_again(logind: LogindThread, tmp_path: Path) -> None:
    scene = Scene(logind, tmp_path, (0, 1))
    running = asyncio.create_task(scene.manager.run())
    try:
        await until(lambda: logind.held() == 1)
        logind.stop()
        logind.start()
        await until(lambda: logind.held() == 1)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await scene.manager.close()


async def test_a_logind_that_keeps_its_delay_is_named_once(
    logind: LogindThread, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(each: object) -> None:
        each.reload_works = False  # type: ignore[attr-defined]

    logind.call(refuse)
    scene = Scene(logind, tmp_path, (0, 60))
    running = asyncio.create_task(scene.manager.run())
    try:
        await until(lambda: "lets a shutdown wait for 5 s and not for 60 s" in caplog.text)
        assert logind.held() == 0
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await scene.manager.close()
