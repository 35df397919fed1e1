"""The native engine on a handler without PIDs, without cgroups on this host, and with its own log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition
from podwright.process import PosixProcessRunner
from podwright.runtime.config import parse_config
from podwright.runtime.engines.native import engine
from podwright.runtime.engines.native.engine import NativeEngine
from podwright.runtime.handlers.fake import FakeHandler, FakeHost, FakeKind
from podwright.runtime.handlers.protocol import Bundle, Capabilities, HandlerRecord, SandboxBundle, Task
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.model.base import NamespaceMode, NamespaceOptions, Resources
from podwright.runtime.model.container import ContainerConfig, ContainerSecurity, ContainerState, ImageSpec
from podwright.runtime.model.ids import ContainerId, SandboxId
from podwright.runtime.model.sandbox import SandboxConfig, SandboxName, SandboxSecurity, SandboxState
from podwright.runtime.model.streaming import AttachRequest
from podwright.runtime.state import Database
from tests.harness.scratch import Part, Scratch
from tools.registry import Registry

pytestmark = pytest.mark.root

ON_HOST = NamespaceOptions(network=NamespaceMode.NODE)


@pytest.fixture
def part(scratch: Scratch) -> Part:
    made = scratch.part("fake")
    made.directory.mkdir(parents=True, exist_ok=True)
    return made


@asynccontextmanager
async def running(
    part: Part, host: FakeHost, capabilities: Capabilities | None = None, foreign: FakeHandler | None = None
) -> AsyncIterator[NativeEngine]:
    """An engine, recovered; another one on the same host is the next daemon's. `foreign` is of another package."""
    settings = {
        "root": f"{part.directory}/root",
        "state": f"{part.directory}/state",
        "registry": {"config_path": f"{part.directory}/none", "auth_file": f"{part.directory}/none"},
        "network": {"cni_conf_dir": f"{part.directory}/none", "bridge": part.bridge, "subnet": str(part.subnet)},
        "containers": {"cgroup_parent": part.cgroup_parent},
    }
    config = parse_config(settings, "the test")
    Path(config.state).mkdir(parents=True, exist_ok=True)
    database = Database(config.root)
    kinds = [] if foreign is None else [FakeKind(foreign)]
    handlers = Handlers([FakeKind(FakeHandler(host, capabilities=capabilities))], "", foreign=kinds)
    made = await engine.make(config, database, PosixProcessRunner(), handlers)
    try:
        await made.recover(database)
        yield made
    finally:
        await made.close(5.0)
        made.cgroup_lock.close()
        database.close()


def sandbox_config(part: Part, name: str = "pod") -> SandboxConfig:
    return SandboxConfig(
        name=SandboxName(name=name, namespace="ns", uid=name),
        log_directory=f"{part.directory}/logs",
        security=SandboxSecurity(namespaces=ON_HOST),
    )


def container_config(image: str, *command: str, stdin: bool = False) -> ContainerConfig:
    return ContainerConfig(
        name=command[0],
        image=ImageSpec(image=image),
        command=command,
        log_path=f"{command[0]}.log",
        stdin=stdin,
        security=ContainerSecurity(namespaces=ON_HOST),
    )


async def started(made: NativeEngine, part: Part, image: str, handler: str = "") -> tuple[SandboxId, ContainerId]:
    await made.images.pull(image, None)
    sandbox_id = await made.sandboxes.run(sandbox_config(part, f"pod{handler}"), handler)
    container_id = await made.containers.create(sandbox_id, container_config(image, "cat", stdin=True))
    await made.containers.start(container_id)
    return sandbox_id, container_id


async def test_a_container_lives_without_a_pid(part: Part, registry: Registry, busybox_image: str) -> None:
    async with running(part, FakeHost()) as made:
        sandbox_id, container_id = await started(made, part, busybox_image)
        container = made.containers.get(container_id)
        assert (container.state, container.pid) == (ContainerState.RUNNING, 0)
        done = await made.containers.exec_sync(container_id, ("echo", "hello"), 10)
        assert done.stdout == b"hello\n"
        client = await made.containers.attach(AttachRequest(container_id=container_id))
        await client.write(b"typed\n")
        output = await client.read()
        assert output is not None
        assert output[1] == b"typed\n"
        client.close()
        await made.containers.update(container_id, Resources(cpu_shares=256))
        await made.containers.pause(container_id)
        with pytest.raises(FailedPrecondition, match="is paused"):
            await made.containers.exec_sync(container_id, ("echo", "hello"), 10)
        await made.containers.unpause(container_id)
        await made.containers.reopen_log(container_id)
        assert (await made.stats.container(container_id)).usage.timestamp > 0
        assert [stats.container.id for stats in (await made.stats.sandbox(sandbox_id)).containers] == [container_id]
        assert len(await made.stats.metrics(made.stats.ready())) == 1
        await made.containers.stop(container_id, 5)
        ended = made.containers.get(container_id)
        assert (ended.state, ended.exit_code) == (ContainerState.EXITED, 143)
        assert "typed" in (part.directory / "logs/cat.log").read_text()
        await made.pods.remove(sandbox_id)
        assert made.sandboxes.visible() == []


async def test_the_next_daemon_finds_it(part: Part, registry: Registry, busybox_image: str) -> None:
    host = FakeHost()
    async with running(part, host) as made:
        sandbox_id, container_id = await started(made, part, busybox_image)
    async with running(part, host) as made:
        assert made.sandboxes.get(sandbox_id).state is SandboxState.READY
        assert (await made.containers.exec_sync(container_id, ("echo", "hello"), 10)).stdout == b"hello\n"
        await made.containers.stop(container_id, 0)
        assert made.containers.get(container_id).exit_code == 137
        await made.pods.remove(sandbox_id)


async def test_what_its_handler_lost_has_ended(part: Part, registry: Registry, busybox_image: str) -> None:
    host = FakeHost()
    async with running(part, host) as made:
        sandbox_id, container_id = await started(made, part, busybox_image)
    for container in host.containers.values():
        await container.tasks.close()
    host.containers.clear()
    async with running(part, host) as made:
        await made.containers.stop(container_id, 0)
        assert (made.containers.get(container_id).reason, made.containers.get(container_id).exit_code) == (
            "Unknown",
            255,
        )
        await made.pods.remove(sandbox_id)


async def test_every_pod_has_a_first_process_where_the_handler_needs_one(part: Part) -> None:
    host = FakeHost()
    async with running(part, host, Capabilities(sandbox_process=True)) as made:
        config = sandbox_config(part)
        modes = NamespaceOptions(network=NamespaceMode.NODE, pid=NamespaceMode.CONTAINER)
        own_pid = SandboxConfig(name=config.name, security=SandboxSecurity(namespaces=modes))
        sandbox_id = await made.sandboxes.run(own_pid, "")
        assert set(host.sandboxes) == {sandbox_id}
        host.sandboxes[sandbox_id].set()  # it dies
        await made.pods.stop(sandbox_id)
        assert host.sandboxes == {}
        await made.pods.remove(sandbox_id)


class Failing(FakeHandler):
    """As that of a package that was changed for the worse."""

    async def adopt(self, bundle: Bundle, record: HandlerRecord, *, rebooted: bool = False) -> Task | None:
        raise LookupError("no luck today")

    async def stop_sandbox(self, bundle: SandboxBundle) -> None:
        raise LookupError("no luck today")


async def test_another_packages_handler_that_fails_at_the_start_costs_only_its_pods(
    part: Part, registry: Registry, busybox_image: str
) -> None:
    ours, theirs = FakeHost(), FakeHost()
    async with running(part, ours, foreign=FakeHandler(theirs, "odd")) as made:
        sandbox_id, container_id = await started(made, part, busybox_image)
        odd_pod, odd = await started(made, part, busybox_image, "odd")
    async with running(part, ours, foreign=Failing(theirs, "odd")) as made:
        assert (await made.containers.exec_sync(container_id, ("echo", "hello"), 10)).stdout == b"hello\n"
        assert (made.containers.get(odd).state, made.containers.get(odd).reason) == (ContainerState.EXITED, "Unknown")
        await made.pods.remove(sandbox_id)
    async with running(part, ours, foreign=FakeHandler(theirs, "odd")) as made:
        await made.pods.remove(odd_pod)
        assert made.sandboxes.visible() == []
    for container in theirs.containers.values():
        await container.tasks.close()
