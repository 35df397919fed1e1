"""The status manager in the whole engine, on a runtime in memory: what is shown while pods live and end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from podwright.agent.engine.ports import EngineStatuses
from podwright.agent.status.conditions import find
from podwright.agent.status.manager import StatusManager, StatusPorts, VersionedStatus
from podwright.agent.status.termination_messages import TerminationMessages
from podwright.k8s.objects import Pod, PodStatus
from tests.agent.fakes.pods import pod
from tests.agent.fakes.runtime import Program
from tests.agent.fakes.time import run_virtual
from tests.agent.test_engine import Scene

UID = "uid-web"


class LiveScene(Scene):
    """An engine with the real manager, and all that it showed of the pod `web`."""

    def _status_room(self) -> EngineStatuses:
        self.seen: list[VersionedStatus] = []
        self.manager = StatusManager(
            StatusPorts(
                clock=self.clock,
                messages=TerminationMessages(str(self._directory / "root"), str(self._directory / "logs")),
                pod_of=self._pod_of,
                mirror_of=self._mirror_of,
                may_run=self._may_run,
                finding_of=self.probes.finding_of,
                node_ips=lambda: ("192.0.2.1",),
                runtime_name=lambda: "fake",
                supports_recursive=lambda _: False,
            )
        )
        self.manager.on_change(self.seen.append)
        return self.manager

    # The engine is made after the manager.

    def _pod_of(self, uid: str) -> Pod | None:
        return self.engine.registry.get(uid)

    def _mirror_of(self, pod: Pod) -> Pod | None:
        return self.engine.registry.mirror_of(pod)

    def _may_run(self, uid: str) -> bool:
        return self.engine.workers.could_have_running_containers(uid)

    @property
    def shown(self) -> PodStatus:
        newest = self.manager.newest(UID)
        assert newest is not None
        return newest.shown

    def story(self) -> list[tuple[str, str]]:
        """Each (phase, state of the first container) that was shown, once."""
        found: list[tuple[str, str]] = []
        for each in self.seen:
            words = (each.shown.phase, _words(each.shown))
            if not found or found[-1] != words:
                found.append(words)
        return found


def _words(status: PodStatus) -> str:
    if not status.container_statuses:
        return ""
    state = status.container_statuses[0].state
    if state.running is not None:
        return "running"
    if state.terminated is not None:
        return state.terminated.reason
    return state.waiting.reason if state.waiting is not None else ""


@pytest.fixture
def live(tmp_path: Path) -> Callable[[Callable[[LiveScene], Awaitable[None]]], None]:
    def run(check: Callable[[LiveScene], Awaitable[None]]) -> None:
        async def within() -> None:
            scene = LiveScene(tmp_path, sources=("api",))
            try:
                await check(scene)
            finally:
                await scene.engine.close()

        run_virtual(within())

    return run


Live = Callable[[Callable[[LiveScene], Awaitable[None]]], None]


def put(scene: LiveScene, *pods: Pod) -> None:
    scene.sources["api"].put(*pods)


def test_a_pod_starts_and_is_deleted(live: Live) -> None:
    async def check(scene: LiveScene) -> None:
        scene.runtime.programs["main"] = [Program(exit_code=3, stops_s=5)]
        put(scene, pod())
        await asyncio.sleep(3)
        assert scene.shown.pod_ip
        ready = find(scene.shown.conditions, "Ready")
        assert ready is not None
        assert ready.status == "True"
        put(scene, pod(deleted=datetime(2026, 1, 1, tzinfo=UTC), grace_s=30))
        await asyncio.sleep(20)
        assert scene.story()[:2] == [("Pending", "ContainerCreating"), ("Running", "running")]
        assert scene.shown.phase in ("Failed", "Succeeded")
        assert scene.shown.container_statuses[0].state.terminated is not None
        assert scene.seen[-1].is_finished

    live(check)


def test_no_terminal_phase_is_shown_while_something_runs(live: Live) -> None:
    async def check(scene: LiveScene) -> None:
        scene.runtime.programs["main"] = [Program(stops_s=5)]
        at_end: list[list[str]] = []  # what ran whenever the pod was shown to have ended

        def note(each: VersionedStatus) -> None:
            if each.shown.phase == "Failed":
                at_end.append(scene.runtime.running_names())

        scene.manager.on_change(note)
        put(scene, pod(active_deadline_seconds=10))
        await asyncio.sleep(13)
        assert scene.runtime.running_names() == ["main"]
        status = scene.manager.get(UID)
        assert status is not None
        assert (status.phase, scene.shown.phase) == ("Failed", "Running")
        await asyncio.sleep(10)
        assert (scene.shown.phase, scene.shown.reason) == ("Failed", "DeadlineExceeded")
        assert at_end
        assert not any(at_end)

    live(check)


def test_a_job(live: Live) -> None:
    async def check(scene: LiveScene) -> None:
        scene.runtime.programs["main"] = [Program(runs_s=2)]
        put(scene, pod(restart_policy="Never"))
        await asyncio.sleep(10)
        assert scene.story() == [
            ("Pending", "ContainerCreating"),
            ("Running", "running"),
            ("Running", "Completed"),
            ("Succeeded", "Completed"),
        ]

    live(check)


def test_a_container_that_crashes(live: Live) -> None:
    async def check(scene: LiveScene) -> None:
        scene.runtime.programs["main"] = [Program(runs_s=1, exit_code=1)] * 5
        put(scene, pod())
        await asyncio.sleep(8)
        (status,) = scene.shown.container_statuses
        assert scene.story()[-1] == ("Running", "CrashLoopBackOff")
        assert status.restart_count == 1
        assert status.last_state.terminated is not None
        await asyncio.sleep(300)
        assert scene.shown.container_statuses[0].restart_count >= 4
        assert {phase for phase, _ in scene.story()} == {"Pending", "Running"}

    live(check)


def test_an_idle_pod_makes_no_versions(live: Live) -> None:
    async def check(scene: LiveScene) -> None:
        put(scene, pod())
        await asyncio.sleep(10)
        version = scene.seen[-1].version
        await asyncio.sleep(1000)
        assert scene.seen[-1].version == version

    live(check)
