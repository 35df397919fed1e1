"""What the agent knows, as a person sees it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from podwright.agent.events.log import EventSubject, RecordedEvent
from podwright.agent.run.narrator import Narrator, is_reported
from podwright.k8s.objects import Pod
from tests.agent.fakes.pods import pod
from tests.agent.run.recording import Recorder
from tests.agent.run.test_changes import RUNNING, end, status

TIME = "2026-01-02T03:04:05Z"
EVENT = RecordedEvent(
    subject=EventSubject("uid-web", "default", "web", "spec.containers{main}"),
    type="Warning",
    reason="Unhealthy",
    message="Readiness probe failed",
    first_ns=1,
    last_ns=1,
)


def write(directory: Path, owner: Pod, attempt: int, text: str) -> None:
    path = directory / owner.metadata.name / "main" / f"{attempt}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{TIME} stdout F {text}\n")


@contextlib.asynccontextmanager
async def narrating(directory: Path, *, several: bool = False) -> AsyncIterator[tuple[Narrator, Recorder]]:
    recorder = Recorder()
    narrator = Narrator(
        recorder,
        lambda owner, container, attempt: f"{directory}/{owner.metadata.name}/{container}/{attempt}.log",
        name_pods=lambda: several,
    )
    task = asyncio.create_task(narrator.run())
    try:
        yield narrator, recorder
    finally:
        await narrator.settle(10)
        task.cancel()
        await asyncio.wait((task,))
        await narrator.close()


async def test_the_last_lines_of_a_container_come_before_its_end(tmp_path: Path) -> None:
    web = pod()
    async with narrating(tmp_path) as (narrator, recorder):
        narrator.add(web)
        write(tmp_path, web, 0, "first")
        narrator.note_status("uid-web", status(1, RUNNING, phase="Running"))
        await narrator.settle(10)
        write(tmp_path, web, 0, "last")
        narrator.note_status("uid-web", status(1, end(1, 3), phase="Failed"))
    assert recorder.lines[:3] == ["pod default/web: Pending", "container main: running", "pod default/web: Running"]
    assert recorder.lines[3:] == [
        "[main] first",
        "[main] last",
        "container main: exited with code 3 (Error)",
        "pod default/web: Failed",
    ]


async def test_several_pods_are_named(tmp_path: Path) -> None:
    async with narrating(tmp_path, several=True) as (narrator, recorder):
        for name in ("a", "b"):
            narrator.add(pod(name))
            write(tmp_path, pod(name), 0, f"of {name}")
            narrator.note_status(f"uid-{name}", status(1, end(1)))
    assert recorder.lines == [
        "pod default/a: Pending",
        "pod default/b: Pending",
        "container a/main: running",
        "[a/main] of a",
        "container a/main: exited with code 0 (Completed)",
        "container b/main: running",
        "[b/main] of b",
        "container b/main: exited with code 0 (Completed)",
    ]


async def test_pods_of_others_are_not_shown(tmp_path: Path) -> None:
    async with narrating(tmp_path) as (narrator, recorder):
        narrator.note_status("uid-web", status(1, RUNNING))
        narrator.note_event(EVENT)
    assert recorder.lines == []


async def test_warnings_are_shown(tmp_path: Path) -> None:
    async with narrating(tmp_path) as (narrator, recorder):
        narrator.add(pod())
        narrator.note_event(EVENT)
    assert recorder.lines == [
        "pod default/web: Pending",
        "warning: pod default/web spec.containers{main}: Unhealthy: Readiness probe failed",
    ]


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ({}, True),
        ({"count": 2}, False),
        ({"type": "Normal"}, False),
        ({"reason": "BackOff"}, False),
        ({"reason": "SandboxChanged", "type": "Normal"}, True),
    ],
)
def test_which_events_are_worth_a_line(change: dict[str, object], reported: bool) -> None:
    assert is_reported(replace(EVENT, **change)) is reported


@pytest.mark.parametrize("stopping", [False, True])
async def test_a_container_that_had_to_be_killed_is_named(tmp_path: Path, stopping: bool) -> None:
    async with narrating(tmp_path) as (narrator, recorder):
        narrator.add(pod())
        write(tmp_path, pod(), 0, "text")
        if stopping:
            narrator.note_stop()
        narrator.note_status("uid-web", status(1, end(1, 137)))
    line = "warning: container main did not end within 30 s and was killed"
    assert (line in recorder.lines) is stopping


async def test_a_log_that_is_not_there_fails_nothing(tmp_path: Path) -> None:
    async with narrating(tmp_path) as (narrator, recorder):
        narrator.add(pod())
        narrator.note_status("uid-web", status(1, end(1)))
    assert recorder.lines[-1] == "container main: exited with code 0 (Completed)"
