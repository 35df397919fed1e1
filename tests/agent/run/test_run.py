"""A whole run, but for the runtime and the agent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from podwright.agent.run.daemon import RunServer
from podwright.agent.run.down import PodToEnd
from podwright.agent.run.options import RunOptions
from podwright.agent.run.run import Assembly, RunPorts, run_files
from podwright.agent.run.runs import RunPod, RunRecord, abandoned, claimed
from podwright.agent.run.session import EngineInputs
from podwright.agent.run.stop import StopRequest
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Unavailable
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.agent.run.build import ended, pod_text, running
from tests.agent.run.recording import Recorder
from tests.agent.run.test_session import FakeEngine

ENDPOINT = "unix:///x.sock"
Act = Callable[[FakeEngine, StopRequest], Coroutine[Any, Any, None]]
CLAIM = pod_text(spec="volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]")


class FakeAssembly:
    """A runtime in memory, and an engine that the test plays."""

    def __init__(self, machine: Machine, act: Act) -> None:
        self.runtime = machine.runtime
        self._machine = machine
        self._act = act

    def engine(self, inputs: EngineInputs) -> FakeEngine:
        engine = FakeEngine(inputs)

        async def play() -> None:
            await asyncio.sleep(0.2)
            await self._act(engine, self._machine.stop)

        self._machine.play = asyncio.create_task(play())
        return engine

    async def release(self, doomed: PodToEnd) -> None:
        self._machine.released.append(doomed.pod.uid)


class Machine:
    """Where runs happen."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "web.yaml"
        self.recorder = Recorder()
        self.clock = VirtualClock()
        self.runtime = FakeRuntime(self.clock)
        self.released: list[str] = []
        self.stop = StopRequest()
        self.play: asyncio.Task[None] | None = None
        self.failure: Exception | None = None

    async def occupy(self, name: str, uid: str) -> None:
        """Have a pod that runs already."""
        labels = {
            "io.kubernetes.pod.name": name,
            "io.kubernetes.pod.namespace": "default",
            "io.kubernetes.pod.uid": uid,
        }
        metadata = api.PodSandboxMetadata(name=name, namespace="default", uid=uid)
        await self.runtime.run_sandbox(api.PodSandboxConfig(metadata=metadata, labels=labels), "")

    def run(self, text: str, act: Act, **options: Any) -> int:
        self.file.write_text(text)

        @contextlib.asynccontextmanager
        async def server(options: RunOptions, stop: StopRequest) -> AsyncIterator[RunServer]:
            if self.failure is not None:
                raise self.failure
            yield RunServer(endpoint=ENDPOINT, name="fake", version="1")

        @contextlib.asynccontextmanager
        async def assemble(server: RunServer) -> AsyncIterator[Assembly]:
            yield FakeAssembly(self, act)

        async def work() -> int:
            self.stop = StopRequest()
            ports = RunPorts(node_name="node1", clock=self.clock, server=server, assemble=assemble)
            chosen = RunOptions(
                paths=(str(self.file),), root=str(self.root), embedded_root="/r", embedded_state="/s", **options
            )
            code = await run_files(chosen, self.recorder, ports, self.stop)
            if self.play is not None:
                await self.play
            return code

        return run_virtual(work())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def nothing(engine: FakeEngine, stop: StopRequest) -> None:
    """The pods go on."""


async def succeed(engine: FakeEngine, stop: StopRequest) -> None:
    await engine.report("web", ended())


def test_a_run_that_succeeds(machine: Machine) -> None:
    assert machine.run(CLAIM, succeed) == 0
    assert machine.recorder.lines[:2] == [
        "warning: PersistentVolumeClaim default/data is not in the files: it gets a folder all the same",
        f"using fake 1 at {ENDPOINT}",
    ]
    assert (machine.root / "claims/default/data").is_dir()


def test_a_run_that_fails(machine: Machine) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        await engine.report("web", ended(3))

    assert machine.run(pod_text(), act) == 1
    assert machine.recorder.lines[-1] == "error: container c exited with code 3 (Error)"


def test_files_that_cannot_be_run(machine: Machine) -> None:
    assert machine.run(pod_text("A"), nothing) == 2
    assert machine.recorder.lines[0].startswith(f"error: {machine.file}:1: Pod A: metadata.name: Invalid value")
    assert machine.run(pod_text(), nothing, watch=True, detach=True) == 2


def test_a_run_that_takes_too_long(machine: Machine) -> None:
    assert machine.run(pod_text(), nothing, timeout_s=5) == 124
    assert machine.recorder.lines[-1] == "error: the pods did not end within 5 s"


@pytest.mark.parametrize(("requests", "code"), [(1, 0), (2, 1)])
def test_a_run_that_is_stopped(machine: Machine, requests: int, code: int) -> None:
    async def act(engine: FakeEngine, stop: StopRequest) -> None:
        await engine.report("web", running())
        for _ in range(requests):
            stop.ask()

    assert machine.run(pod_text(), act) == code


def test_a_server_that_does_not_come_up(machine: Machine) -> None:
    machine.failure = Unavailable("no server")
    assert machine.run(pod_text(), nothing) == 1
    assert machine.recorder.lines == ["error: no server"]


def test_what_a_killed_run_left_is_removed_and_what_was_detached_stays(machine: Machine) -> None:
    run_virtual(machine.occupy("bb", "uid-bb"))
    for run_id, detached in (("aa", False), ("bb", True), ("cc", True)):
        pod = RunPod(namespace="default", name=run_id, uid=f"uid-{run_id}", owner=f"Pod default/{run_id}")
        with claimed(str(machine.root), run_id) as log:
            log.write(RunRecord(run_id=run_id, endpoint=ENDPOINT, pods=(pod,), detached=detached))
    assert machine.run(pod_text(), succeed) == 0
    assert machine.released == ["uid-aa", "uid-cc"]  # somebody has removed the pod of cc
    assert [record.run_id for record in abandoned(str(machine.root), ENDPOINT)] == ["bb"]
    assert "removed what an interrupted run had left" in machine.recorder.lines


def test_a_pod_of_the_same_name_is_refused(machine: Machine) -> None:
    run_virtual(machine.occupy("web", "other"))
    assert machine.run(pod_text(), nothing) == 1
    assert "pod default/web runs already" in machine.recorder.lines[-1]
