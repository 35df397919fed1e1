"""Daemons and Engines that are killed under running pods, and containers that somebody else removes."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.pods import CasePod, running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from tests.harness.docker import DockerEngine
from tests.harness.podwright import PodwrightOnDocker
from tests.harness.scratch import Scratch

pytestmark = pytest.mark.root

WAIT_S = patient(60.0)
COUNTS = ("sh", "-c", "echo ready; i=0; while :; do echo line $i; i=$((i+1)); usleep 2000; done")


@pytest.fixture
def server(scratch: Scratch) -> Iterator[PodwrightOnDocker]:
    with DockerEngine(scratch.part("eng"), networks=False) as engine:
        engine.start()
        with PodwrightOnDocker(scratch.part("pwd"), engine) as daemon:
            daemon.start()
            yield daemon


def ask(engine: DockerEngine, method: str, path: str, body: object = None) -> bytes:
    """The Engine, as another of its clients."""
    connection = http.client.HTTPConnection("docker", timeout=WAIT_S)
    with socket.socket(socket.AF_UNIX) as connected:
        connected.connect(str(engine.socket))
        connection.sock = connected
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status < 300, content
        return content


def counted(pod: CasePod, container: str) -> list[str]:
    """What the counting container has written, in all files of its log."""
    files = sorted(Path(pod.config.log_directory).glob("c0.log*"), key=lambda file: file.name, reverse=True)
    return [line.split(" ", 3)[3] for file in files for line in file.read_text().splitlines()]


async def until_ready(server: PodwrightOnDocker, *, is_ready: bool) -> str:
    """Wait for the RuntimeReady condition. Returns its message."""
    async with server.client() as cri, asyncio.timeout(WAIT_S):
        while True:
            status = await cri.call(cri.runtime.Status, api.StatusRequest())
            condition = status.status.conditions[0]
            if condition.status is is_ready:
                return condition.message
            await asyncio.sleep(0.05)


async def state_of(pod: CasePod) -> int:
    request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id)
    return (await pod.cri.call(pod.cri.runtime.PodSandboxStatus, request)).status.state


async def test_a_pod_outlives_daemons_and_engines(server: PodwrightOnDocker, busybox_image: str) -> None:
    async with server.client() as cri, running_pod(server.peer(cri), busybox_image) as pod:
        counts = await pod.run_ready(COUNTS)
        before = await pod.status(counts)
        server.kill9()
        server.start()
        (Path(pod.config.log_directory) / "c0.log").rename(Path(pod.config.log_directory) / "c0.log.1")
        await cri.call(cri.runtime.ReopenContainerLog, api.ReopenContainerLogRequest(container_id=counts))
        server.engine.stop()
        assert "does not answer" in await until_ready(server, is_ready=False)
        assert (await pod.status(counts)).state == api.CONTAINER_RUNNING  # lists and statuses go on
        server.engine.start()
        await until_ready(server, is_ready=True)
        assert (await pod.exec(counts, "echo", "back")).stdout == b"back\n"
        server.kill9()
        ask(server.engine, "POST", f"/containers/{counts}/kill")  # it ends while no daemon looks
        server.start()
        ended = await pod.exited(counts)
        assert (ended.exit_code, ended.reason) == (137, "Error")
        assert ended.started_at == before.started_at
        lines = counted(pod, counts)
        assert lines == ["ready", *(f"line {number}" for number in range(len(lines) - 1))]
        assert len(lines) > 10


async def test_an_engine_that_hangs(scratch: Scratch, busybox_image: str) -> None:
    """Calls end at their deadline, lists and statuses go on, the node says why, and all mends itself."""
    with DockerEngine(scratch.part("eng"), networks=False) as engine:
        engine.start()
        settings = {"docker": {"request_timeout_s": 3.0}}
        with PodwrightOnDocker(scratch.part("pwd"), engine, settings=settings) as server:
            server.start()
            async with server.client() as cri, running_pod(server.peer(cri), busybox_image) as pod:
                container = await pod.run_ready()
                os.kill(engine.process.pid, signal.SIGSTOP)
                try:
                    with pytest.raises((DeadlineExceeded, Unavailable)):
                        await pod.create()
                    with pytest.raises((DeadlineExceeded, Unavailable)):
                        await pod.exec(container, "true")
                    assert (await pod.status(container)).state == api.CONTAINER_RUNNING
                    assert await until_ready(server, is_ready=False)
                finally:
                    os.kill(engine.process.pid, signal.SIGCONT)
                await until_ready(server, is_ready=True)
                assert (await pod.exec(container, "echo", "back")).stdout == b"back\n"
                listed = await cri.call(cri.runtime.ListContainers, api.ListContainersRequest())
                assert [each.id for each in listed.containers] == [container]
            async with asyncio.timeout(WAIT_S):
                while json.loads(ask(engine, "GET", "/containers/json?all=1")):  # noqa: ASYNC110 # as above
                    await asyncio.sleep(0.05)


async def test_what_somebody_else_removes(server: PodwrightOnDocker, busybox_image: str) -> None:
    async with server.client() as cri, running_pod(server.peer(cri), busybox_image) as pod:
        running, created = await pod.run_ready(), await pod.create()
        ask(server.engine, "DELETE", f"/containers/{created}")
        ask(server.engine, "DELETE", f"/containers/{running}?force=1")
        for container in (running, created):
            status = await pod.exited(container)
            assert status.reason in ("Unknown", "Error")
            assert status.exit_code in (255, 137)
        assert "another client" in (await pod.status(created)).message
        with pytest.raises(FailedPrecondition):
            await pod.start(created)
        ask(server.engine, "DELETE", f"/containers/{pod.id}?force=1")
        async with asyncio.timeout(WAIT_S):
            while await state_of(pod) == api.SANDBOX_READY:  # noqa: ASYNC110 # as a kubelet polls
                await asyncio.sleep(0.05)
        for container in (running, created):
            await cri.call(cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=container))


async def test_what_nobody_knows_is_removed_at_the_start_and_other_peoples_stay(
    server: PodwrightOnDocker, busybox_image: str
) -> None:
    async with server.client() as cri, running_pod(server.peer(cri), busybox_image):
        server.stop()
        labels = {"io.podwright.root": str(server.root)}
        for name, body in (("ours", {"Labels": labels}), ("theirs", {"Labels": {"io.podwright.root": "/other"}})):
            ask(server.engine, "POST", f"/containers/create?name={name}", {"Image": busybox_image, **body})
        server.start()
        listed = json.loads(ask(server.engine, "GET", "/containers/json?all=1"))
        names = {name for entry in listed for name in entry["Names"]}
        assert "/theirs" in names
        assert "/ours" not in names
