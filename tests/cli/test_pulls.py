"""Pulls as people see them, on a daemon of its own, whose registry stops half-way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.cri.v1 import api_pb2 as api
from tests.cli.conftest import Cli, run_cli
from tests.cli.terminals import terminal
from tests.fixtures import FreshPodwright
from tests.harness.containerd import Containerd
from tests.harness.podwright import Podwright
from tests.harness.processes import ended
from tests.harness.scripted_registry import ScriptedRegistry
from tests.runtime.image.test_progress import MIB, Gate, gated
from tools.images import Entry, busybox_image, layer_of

WAIT_S = patient(60.0)
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: pulled}}
spec:
  restartPolicy: Never
  containers:
  - {{name: main, image: "{image}", imagePullPolicy: Always, command: [echo, ran]}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled:
    """A daemon, and an image whose top layer of four mebibytes comes in two parts."""

    server: Podwright
    name: str
    gate: Gate

    async def cli(self, *arguments: str) -> str:
        """What a command prints."""
        done = await run_cli("-e", self.server.endpoint, *arguments)
        assert done.code == 0, done.err
        return done.out

    async def until(self, word: str) -> str:
        """The row of the image in `podwright pulls` once it has that word."""
        async with asyncio.timeout(WAIT_S):
            while True:
                rows = [line for line in (await self.cli("pulls")).splitlines() if self.name in line]
                if rows and word in rows[0]:
                    return rows[0]


@pytest_asyncio.fixture
async def stalled(fresh_podwright: FreshPodwright) -> AsyncIterator[Stalled]:
    server = fresh_podwright({"registry": {"config_path": ""}})
    image = busybox_image(layer_of([Entry("big", 0o644, "file", os.urandom(4 * MIB))]))
    async with ScriptedRegistry() as registry:
        gate = gated(registry, image, "some/image:1")
        yield Stalled(server=server, name=f"{registry.host}/some/image:1", gate=gate)
        gate.opened.set()


@contextlib.asynccontextmanager
async def pulling(stalled: Stalled) -> AsyncIterator[asyncio.Future[api.PullImageResponse]]:
    """Somebody else pulls it."""
    async with stalled.server.client() as cri:
        request = api.PullImageRequest(image=api.ImageSpec(image=stalled.name))
        job = asyncio.ensure_future(cri.call(cri.images.PullImage, request, timeout_s=None))
        try:
            yield job
        finally:
            stalled.gate.opened.set()
            await job


@pytest.mark.root
async def test_a_pull_on_a_terminal(stalled: Stalled) -> None:
    async with terminal("pull", stalled.name, endpoint=stalled.server.endpoint) as person:
        await person.shows(b"1/2 layers")
        stalled.gate.opened.set()
        await person.shows(b"sha256:")
        assert await person.exit_code() == 0


@pytest.mark.root
async def test_a_run_on_a_terminal(stalled: Stalled, tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(POD.format(image=stalled.name))
    arguments = ("run", "--root", str(tmp_path / "root"), "--log-root", str(tmp_path / "logs"), str(file))
    async with terminal(*arguments, endpoint=stalled.server.endpoint) as person:
        await person.shows(b"1/2 layers")
        stalled.gate.opened.set()
        await person.shows(b"ran")
        assert await person.exit_code() == 0


@pytest.mark.root
async def test_what_somebody_else_pulls(stalled: Stalled) -> None:
    assert (await stalled.cli("pulls")).split() == ["IMAGE", "STAGE", "DOWNLOADED", "SIZE", "LAYERS", "AGE"]
    async with pulling(stalled):
        row = (await stalled.until("1/2")).split()
        assert row[:2] == [stalled.name, "downloading"]
        assert len((await stalled.cli("pulls", "other/image")).splitlines()) == 1
        assert len((await stalled.cli("pulls", stalled.name)).splitlines()) == 2
        assert '"stage": "DOWNLOADING"' in await stalled.cli("pulls", "-o", "json")
        async with terminal("pulls", "-w", endpoint=stalled.server.endpoint) as person:
            await person.shows(b"1/2 layers")
            stalled.gate.opened.set()
            await person.shows(f"pulled {stalled.name}".encode())
            person.type(b"\x03")
            assert await person.exit_code() == 130
    assert len((await stalled.cli("pulls")).splitlines()) == 1


@pytest.mark.root
async def test_watching_without_a_terminal(stalled: Stalled) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "podwright", "-e", stalled.server.endpoint, "pulls", "-w"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    async with ended(process, within_s=WAIT_S):
        async with pulling(stalled):
            assert await process.stdout.readline() == f"pulling {stalled.name}\n".encode()
            stalled.gate.opened.set()
            assert (await process.stdout.readline()).startswith(f"pulled {stalled.name} (".encode())
        process.terminate()
        await process.communicate()


@pytest.mark.root
@pytest.mark.peer
async def test_runtimes_that_do_not_tell(containerd_server: Containerd, podwright: Cli) -> None:
    done = await podwright("-e", containerd_server.endpoint, "pulls")
    assert (done.code, done.out) == (1, "")
    assert "it needs podwright serve" in done.err


async def test_bars_have_no_other_form(podwright: Cli) -> None:
    assert (await podwright("-e", "unix:///x", "pulls", "-w", "-o", "json")).code == 2
