"""Running pods in tests: a file, a server, a reporter that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from podwright.agent.run.stop import StopRequest
from podwright.agent.seed.options import RunOptions
from podwright.agent.seed.run import run_pod
from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.cri.v1 import api_pb2 as api
from tests.agent.seed.recording import RecordingReporter

RUN_TIMEOUT_S = patient(60.0)


@dataclass(slots=True)
class Run:
    """One run of one file: what it told, how it ended, and a way to stop it."""

    options: RunOptions
    told: RecordingReporter = field(default_factory=RecordingReporter)
    stop: StopRequest = field(default_factory=StopRequest)

    async def code(self) -> int:
        """Run to the end."""
        async with asyncio.timeout(RUN_TIMEOUT_S):
            return await run_pod(self.options, self.told, self.stop)

    async def code_after(self, condition: Callable[[RecordingReporter], object], *asks: float) -> int:
        """Run, wait for the condition, then ask to stop, once for each of `asks` after so many seconds."""
        task = asyncio.create_task(self.code())
        await self.until(condition, task)
        for delay_s in asks or (0.0,):
            await asyncio.sleep(delay_s)
            self.stop.ask()
        return await task

    async def until(self, condition: Callable[[RecordingReporter], object], task: asyncio.Task[int]) -> None:
        """Wait until what was told fulfils the condition."""
        for _ in range(int(RUN_TIMEOUT_S / 0.02)):
            if condition(self.told):
                return
            if task.done():
                pytest.fail(f"the run ended too early with {task.result()}: {self.told}")
            await asyncio.sleep(0.02)
        pytest.fail(f"it never happened: {self.told}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFiles:
    """Makes runs against one server, in one directory."""

    peer: CriPeer
    directory: Path

    def run(self, text: str, **options: object) -> Run:
        """A run of a manifest's text."""
        file = self.directory / "pod.yaml"
        file.write_text(text)
        values = {
            "file": str(file),
            "endpoint": self.peer.endpoint,
            "agent_root": str(self.directory / "agent"),
            "log_root": str(self.directory / "logs"),
            "handle_signals": False,
            **options,
        }
        return Run(options=RunOptions(**values))  # type: ignore[arg-type] # tests give the right ones

    def left(self) -> list[str]:
        """Files of pods that are still there."""
        roots = (self.directory / "agent/pods", self.directory / "logs")
        return [str(entry) for root in roots if root.exists() for entry in root.iterdir()]

    async def sandboxes(self) -> list[str]:
        """IDs of the sandboxes that the server holds."""
        cri = self.peer.client
        listed = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
        return [item.id for item in listed.items]


@pytest.fixture
async def pod_files(cri_server: CriPeer, tmp_path: Path) -> PodFiles:
    """Runs on each CRI server in turn."""
    return PodFiles(peer=cri_server, directory=tmp_path)
