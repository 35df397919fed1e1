"""A full disk: one clear error that names the place, nothing half-made, pods can be removed, and all is well after."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import ResourceExhausted, Unknown
from tests.faults.audit import records
from tests.faults.disk import SmallDisk
from tests.faults.node import Node, gone, running_node
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright

pytestmark = [pytest.mark.root]

LARGE = "x" * (6 << 20)  # larger than what the database keeps in reserve


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Mounted below the test's directory."""
    small = SmallDisk(tmp_path / "small")
    yield small
    small.close()


@pytest_asyncio.fixture
async def root_node(disk: SmallDisk, fresh_podwright: FreshPodwright, busybox_image: str) -> AsyncIterator[Node]:
    """A daemon whose root is on that disk."""
    server = fresh_podwright(start=False)
    server.root = disk.path / "root"
    async with _running_on(disk, server, busybox_image) as node:
        yield node


@pytest_asyncio.fixture
async def state_node(disk: SmallDisk, fresh_podwright: FreshPodwright, busybox_image: str) -> AsyncIterator[Node]:
    """A daemon whose state is on that disk."""
    server = fresh_podwright(start=False)
    server.state = disk.path / "state"
    async with _running_on(disk, server, busybox_image) as node:
        yield node


@contextlib.asynccontextmanager
async def _running_on(disk: SmallDisk, server: Podwright, image: str) -> AsyncIterator[Node]:
    """Afterwards there is room again, so that the daemon can be taken down."""
    server.start()
    async with running_node(server, image) as node:
        try:
            yield node
        finally:
            disk.free()


async def test_pull(root_node: Node, disk: SmallDisk) -> None:
    before = disk.used_bytes()
    disk.fill()
    for _ in range(2):
        with pytest.raises(ResourceExhausted, match=r"the disk is full.*under the daemon's root"):
            await root_node.pull()
        await root_node.audited()
    disk.free()
    assert disk.used_bytes() <= before + (1 << 20)
    pod = await root_node.pod()
    assert await pod.output("echo", "fine", name="main") == "fine\n"
    await root_node.emptied()


async def test_container(root_node: Node, disk: SmallDisk) -> None:
    pod = await root_node.pod()
    disk.fill()
    for _ in range(20):
        with pytest.raises(ResourceExhausted, match="no space left") as refused:
            await pod.create(name="main")
        assert str(disk.path) in str(refused.value)
    await root_node.audited()
    assert records(root_node.server, "containers") == {}
    disk.free()
    container = await pod.create(name="main")
    await pod.start(container)
    assert (await pod.exec(container, "true")).exit_code == 0
    await root_node.emptied()


async def test_state_database(root_node: Node, disk: SmallDisk) -> None:
    pod = await root_node.pod()
    disk.fill()
    config = root_node.config(annotations={"large": LARGE})
    with pytest.raises(ResourceExhausted, match=f"{disk.path}/root"):
        await root_node.sandbox(config)
    with pytest.raises(ResourceExhausted, match=f"{disk.path}/root"):
        await pod.create(name="large", annotations={"large": LARGE})
    assert len(await root_node.listed()) == 1
    await root_node.audited()
    disk.free()
    await root_node.sandbox(config)
    await root_node.emptied()


@pytest.mark.parametrize("after_restart", [False, True], ids=["same daemon", "started on a full disk"])
async def test_what_runs_is_managed_and_can_be_removed(root_node: Node, disk: SmallDisk, after_restart: bool) -> None:
    pod = await root_node.pod()
    running = await pod.run()
    ended = await pod.run()
    disk.fill()
    if after_restart:
        await root_node.reborn()
    assert (await pod.exec(running, "echo", "hi")).stdout == b"hi\n"
    os.kill(records(root_node.server, "containers")[ended]["pid"], signal.SIGKILL)
    assert (await pod.exited(ended)).exit_code == 137
    await pod.stop(running)
    assert (await pod.status(running)).state == api.CONTAINER_EXITED
    await root_node.emptied()
    request = api.RemoveImageRequest(image=api.ImageSpec(image=root_node.image))
    await root_node.cri.call(root_node.cri.images.RemoveImage, request)
    assert records(root_node.server, "images") == {}


async def test_many_pods_come_and_go_on_a_full_disk(root_node: Node, disk: SmallDisk) -> None:
    """What the database keeps in reserve is used again and again."""
    await root_node.pull()
    disk.fill()
    for _ in range(40):
        pod = await root_node.sandbox(root_node.config(annotations={"medium": "x" * 20_000}))
        await root_node.remove(pod)
    await root_node.emptied()


async def test_state_directory(state_node: Node, disk: SmallDisk) -> None:
    pod = await state_node.pod()
    container = await pod.run()
    created = await pod.create(name="created")
    disk.fill()
    with pytest.raises(ResourceExhausted, match=f"no space left.*{disk.path}/state"):
        await state_node.sandbox(state_node.config())
    with pytest.raises(ResourceExhausted, match=f"no space left.*{disk.path}/state"):
        await pod.create(name="late")
    with pytest.raises(
        (ResourceExhausted, Unknown), match=f"(?i)(no space left.*)?{disk.path}/state.*(no space left)?"
    ):
        await pod.exec(container, "true")  # it may be the runtime whose file finds no room
    await state_node.audited()
    assert (await pod.status(container)).state == api.CONTAINER_RUNNING
    disk.free()
    assert (await pod.exec(container, "true")).exit_code == 0
    await pod.start(created)
    await state_node.emptied()


ENDS_WITH_3 = ("sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done")


@pytest.mark.parametrize("while_down", [False, True], ids=["seen by the daemon", "while it was down"])
async def test_exit_codes_are_not_lost(state_node: Node, disk: SmallDisk, while_down: bool) -> None:
    pod = await state_node.pod()
    ending, stopped = await pod.run_ready(ENDS_WITH_3), await pod.run_ready(ENDS_WITH_3)
    record = records(state_node.server, "containers")[ending]
    disk.fill()
    if while_down:
        state_node.server.kill9()
    os.kill(record["pid"], signal.SIGTERM)
    await gone(record["pid"], record["task"]["monitor_pid"])
    if while_down:
        await state_node.again()
    status = await pod.exited(ending)
    assert (status.exit_code, status.reason) == (3, "Error")
    await pod.stop(stopped)
    assert (await pod.status(stopped)).exit_code == 3
    await state_node.emptied()
