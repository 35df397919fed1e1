"""Running the command line as people do, and a pod to point it at."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound
from tests.harness.processes import ended
from tools import images
from tools.registry import Registry

RUN_TIMEOUT_S = patient(60.0)
# Both streams are read at once, so that only time keeps their lines in order.
SCRIPT = "trap 'exit 0' TERM; echo first; sleep 0.5; echo second >&2; sleep 0.5; echo third; sleep 1000 & wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one command line ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.out)


Cli = Callable[..., Coroutine[Any, Any, Outcome]]


@contextlib.asynccontextmanager
async def begun_cli(*arguments: str, endpoint: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`podwright ARGUMENTS` at work; ended with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "podwright", "-e", endpoint, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    async with ended(process, within_s=RUN_TIMEOUT_S):
        yield process


async def run_cli(*arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Outcome:
    """`podwright ARGUMENTS` to its end."""
    environ = {key: value for key, value in os.environ.items() if key != "CONTAINER_RUNTIME_ENDPOINT"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "podwright", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environ, "COLUMNS": "200", **(env or {})},
    )
    async with ended(process, within_s=RUN_TIMEOUT_S):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return Outcome(code=process.returncode, out=out.decode(), err=err.decode())


@pytest.fixture
def podwright() -> Cli:
    """The command line, with no endpoint."""
    return run_cli


@pytest.fixture
def cli(cri_server: CriPeer) -> Cli:
    """The command line, pointed at each CRI server in turn."""

    async def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        return await run_cli(*arguments, stdin=stdin, env={"CONTAINER_RUNTIME_ENDPOINT": cri_server.endpoint})

    return run


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPod:
    """A READY sandbox with one running container."""

    name: str
    sandbox_id: str
    container_id: str
    image: str


@pytest_asyncio.fixture
async def demo_pod(cri_server: CriPeer, busybox_image: str, tmp_path: Path) -> AsyncIterator[DemoPod]:
    """Made before the test, removed after it."""
    cri = cri_server.client
    name = f"demo-{tmp_path.name[-16:].replace('_', '-').strip('-')}"
    config = api.PodSandboxConfig(
        metadata=api.PodSandboxMetadata(name=name, namespace="cli", uid=str(uuid.uuid4())),
        hostname="demo",
        log_directory=str(tmp_path / "logs"),
        labels={"app": "demo"},
    )
    config.linux.cgroup_parent = cri_server.cgroup_parent
    config.linux.security_context.namespace_options.pid = api.CONTAINER
    container = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="main", attempt=1),
        image=api.ImageSpec(image=busybox_image),
        command=["sh", "-c", SCRIPT],
        labels={"app": "demo"},
        log_path="main.log",
    )
    container.linux.security_context.namespace_options.pid = api.CONTAINER
    await cri.call(cri.images.PullImage, api.PullImageRequest(image=container.image))
    sandbox_id = (await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config))).pod_sandbox_id
    try:
        made = await cri.call(
            cri.runtime.CreateContainer,
            api.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=container, sandbox_config=config),
        )
        await cri.call(cri.runtime.StartContainer, api.StartContainerRequest(container_id=made.container_id))
        yield DemoPod(name=name, sandbox_id=sandbox_id, container_id=made.container_id, image=busybox_image)
    finally:
        with contextlib.suppress(NotFound):  # old containerds answer so for a sandbox that the test has removed
            await cri.call(cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=sandbox_id))
        await cri.call(cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id))


@pytest.fixture(scope="session")
def registry_image(registry: Registry) -> str:
    """An image of these tests' own, so that it may be removed."""
    registry.push("cli/own:1", images.busybox_image(Labels={"of": "cli"}))
    return f"{registry.host}/cli/own:1"
