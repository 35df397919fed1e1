"""`kill -9` of the daemon in the middle of every RPC that changes something, at many moments; then it comes back.

After each start: what ran still runs and is managed, nothing is half-made, and the same request, repeated, succeeds.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError
from tests.faults.node import Node, eventually

pytestmark = [pytest.mark.root, pytest.mark.slow]

# From "not even read" to "answered long ago" on a fast machine; the jitter finds what lies between.
DELAYS_MS = (0.0, 1.2, 2.5, 4.0, 6.0, 9.0, 14.0, 22.0)
JITTER_MS = 1.0
TICKS = ("sh", "-c", "trap 'exit 7' TERM; n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.05; done")


@dataclass
class Scene:
    """What one round works on: a pod, a container in it, and the request for a sandbox."""

    config: api.PodSandboxConfig
    pod: CasePod | None = None
    container: str = ""

    @property
    def its_pod(self) -> CasePod:
        assert self.pod is not None
        return self.pod


Act = Callable[[Node, Scene], Awaitable[None]]


async def nothing(node: Node, scene: Scene) -> None:
    """No preparation."""


async def run_sandbox(node: Node, scene: Scene) -> None:
    again = await node.sandbox(scene.config)
    assert scene.pod is None or scene.pod.id == again.id
    if scene.pod is not None:
        node.pods.remove(again)
    scene.pod = scene.pod or again


async def create(node: Node, scene: Scene) -> None:
    if scene.pod is None:
        await run_sandbox(node, scene)
    scene.container = await scene.its_pod.create(TICKS, name="main")


async def start(node: Node, scene: Scene) -> None:
    if not scene.container:
        await create(node, scene)
    await scene.its_pod.start(scene.container)


async def started(node: Node, scene: Scene) -> None:
    await start(node, scene)
    await ticking(scene.its_pod, scene.container)


async def stop(node: Node, scene: Scene) -> None:
    await scene.its_pod.stop(scene.container, timeout=5)


async def remove(node: Node, scene: Scene) -> None:
    request = api.RemoveContainerRequest(container_id=scene.container)
    await node.cri.call(node.cri.runtime.RemoveContainer, request)


async def execute(node: Node, scene: Scene) -> None:
    answer = await scene.its_pod.exec(scene.container, "sh", "-c", "sleep 0.01; echo out; exit 3")
    assert (answer.exit_code, answer.stdout) == (3, b"out\n")


async def stop_sandbox(node: Node, scene: Scene) -> None:
    request = api.StopPodSandboxRequest(pod_sandbox_id=scene.its_pod.id)
    await node.cri.call(node.cri.runtime.StopPodSandbox, request)


async def remove_sandbox(node: Node, scene: Scene) -> None:
    request = api.RemovePodSandboxRequest(pod_sandbox_id=scene.its_pod.id)
    await node.cri.call(node.cri.runtime.RemovePodSandbox, request)


async def is_ready(node: Node, scene: Scene) -> None:
    assert (await node.status(scene.its_pod)).state == api.SANDBOX_READY


async def is_created(node: Node, scene: Scene) -> None:
    assert (await scene.its_pod.status(scene.container)).state == api.CONTAINER_CREATED
    await scene.its_pod.start(scene.container)
    assert (await scene.its_pod.exec(scene.container, "true")).exit_code == 0


async def is_running(node: Node, scene: Scene) -> None:
    assert (await scene.its_pod.status(scene.container)).state == api.CONTAINER_RUNNING
    assert (await scene.its_pod.exec(scene.container, "true")).exit_code == 0


async def has_exited(node: Node, scene: Scene) -> None:
    status = await scene.its_pod.status(scene.container)
    assert status.state == api.CONTAINER_EXITED
    assert (status.exit_code, status.reason) == (7, "Error")


async def no_container(node: Node, scene: Scene) -> None:
    listed = await node.cri.call(node.cri.runtime.ListContainers, api.ListContainersRequest())
    assert scene.container not in [container.id for container in listed.containers]


async def not_ready(node: Node, scene: Scene) -> None:
    assert (await node.status(scene.its_pod)).state == api.SANDBOX_NOTREADY
    assert (await scene.its_pod.status(scene.container)).state == api.CONTAINER_EXITED


async def no_sandbox(node: Node, scene: Scene) -> None:
    assert scene.its_pod.id not in [item.id for item in await node.listed()]


@pytest.mark.parametrize(
    ("prepare", "request_", "check"),
    [
        pytest.param(nothing, run_sandbox, is_ready, id="RunPodSandbox"),
        pytest.param(run_sandbox, create, is_created, id="CreateContainer"),
        pytest.param(create, start, is_running, id="StartContainer"),
        pytest.param(started, execute, is_running, id="ExecSync"),
        pytest.param(started, stop, has_exited, id="StopContainer"),
        pytest.param(started, remove, no_container, id="RemoveContainer"),
        pytest.param(started, stop_sandbox, not_ready, id="StopPodSandbox"),
        pytest.param(started, remove_sandbox, no_sandbox, id="RemovePodSandbox"),
    ],
)
async def test_killed_in_the_middle(node: Node, prepare: Act, request_: Act, check: Act) -> None:
    bystander = await node.pod()
    keeper = await bystander.run(TICKS, name="keeper")
    for delay_ms in DELAYS_MS:
        scene = Scene(config=node.config())
        await prepare(node, scene)
        before = scene.container
        asked = asyncio.ensure_future(request_(node, scene))
        await asyncio.sleep(max(0.0, delay_ms + random.uniform(-JITTER_MS, JITTER_MS)) / 1e3)
        node.server.kill9()
        await asyncio.gather(asked, return_exceptions=True)
        assert asked.exception() is None or isinstance(asked.exception(), PodwrightError)
        await node.again()
        await node.audited()
        await still_managed(bystander, keeper)
        await request_(node, scene)
        assert before in ("", scene.container)
        await check(node, scene)
        if scene.its_pod in node.pods:
            await node.remove(scene.its_pod)
    numbers = [
        int(line.rpartition(" ")[2]) for line in bystander.text(keeper, await bystander.status(keeper)).splitlines()
    ]
    assert numbers == list(range(1, len(numbers) + 1))
    await node.emptied()


async def still_managed(pod: CasePod, container: str) -> None:
    """The container that nobody touched."""
    status = await pod.status(container)
    assert (status.state, status.metadata.attempt) == (api.CONTAINER_RUNNING, 0)
    assert (await pod.exec(container, "echo", "here")).stdout == b"here\n"


async def ticking(pod: CasePod, container: str) -> None:
    """Wait for its first line: from then on it has its trap."""
    status = await pod.status(container)

    async def wrote() -> bool:
        return bool(pod.text(container, status))

    await eventually(wrote, "the container writes")


async def test_killed_in_the_middle_of_a_pull(node: Node) -> None:
    for delay_ms in (*DELAYS_MS, 35.0, 60.0):
        asked = asyncio.ensure_future(node.pull())
        await asyncio.sleep(max(0.0, delay_ms + random.uniform(-JITTER_MS, JITTER_MS)) / 1e3)
        node.server.kill9()
        await asyncio.gather(asked, return_exceptions=True)
        await node.again()
        await node.audited()
        await node.pull()
        pod = await node.pod()
        assert await pod.output("cat", "/etc/hostname", name="main")
        await node.remove(pod)
        request = api.RemoveImageRequest(image=api.ImageSpec(image=node.image))
        await node.cri.call(node.cri.images.RemoveImage, request)
    await node.emptied()
