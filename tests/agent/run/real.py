"""Running pods in tests: files, a server, a reporter that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from podwright.agent.run.assembling import run_ports
from podwright.agent.run.options import RunOptions
from podwright.agent.run.run import run_files
from podwright.agent.run.stop import StopRequest
from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.cri.v1 import api_pb2 as api
from tests.agent.run.recording import RecordingReporter

RUN_TIMEOUT_S = patient(60.0)
Condition = Callable[[RecordingReporter], object]


@dataclass(slots=True)
class Run:
    """One run: what it reported, how it ended, and a way to stop it."""

    options: RunOptions
    seen: RecordingReporter = field(default_factory=RecordingReporter)
    stop: StopRequest = field(default_factory=StopRequest)

    async def code(self) -> int:
        """Run to the end."""
        ports = run_ports(self.options, self.seen)
        async with asyncio.timeout(RUN_TIMEOUT_S):
            return await run_files(self.options, self.seen, ports, self.stop)

    async def code_after(self, condition: Condition, *asks: float) -> int:
        """Run, wait for the condition, then ask to stop, once for each of `asks` after so many seconds."""
        task = asyncio.create_task(self.code())
        await self.until(condition, task)
        for delay_s in asks or (0.0,):
            await asyncio.sleep(delay_s)
            self.stop.ask()
        return await task

    async def until(self, condition: Condition, task: asyncio.Task[int]) -> None:
        """Wait until what was reported fulfils the condition."""
        for _ in range(int(RUN_TIMEOUT_S / 0.02)):
            if condition(self.seen):
                return
            if task.done():
                pytest.fail(f"the run ended too early with {task.result()}: {self.seen}")
            await asyncio.sleep(0.02)
        pytest.fail(f"it never happened: {self.seen}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFiles:
    """Makes runs against one server, in one directory."""

    peer: CriPeer
    directory: Path

    def run(self, text: str, **options: object) -> Run:
        """A run of a file with that text."""
        file = self.directory / "pod.yaml"
        file.write_text(text)
        return self.run_paths(str(file), **options)

    def run_paths(self, *paths: str, **options: object) -> Run:
        """A run of files."""
        values = {
            "paths": paths,
            "endpoint": self.peer.endpoint,
            "root": str(self.directory / "agent"),
            "log_root": str(self.directory / "logs"),
            "embedded_root": str(self.directory / "none"),
            "embedded_state": str(self.directory / "none"),
            **options,
        }
        return Run(options=RunOptions(**values))  # type: ignore[arg-type] # tests give the right ones

    def left(self) -> list[str]:
        """Files of pods and of their agents that are still there."""
        roots = (self.directory / "agent/runs", self.directory / "logs", self.directory / "containers")
        return [str(entry) for root in roots if root.exists() for entry in root.iterdir()]

    async def sandboxes(self) -> list[str]:
        """IDs of the sandboxes that the server holds."""
        cri = self.peer.client
        listed = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
        return [item.id for item in listed.items]
