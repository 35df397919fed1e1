"""Shims that die, hang, or talk nonsense, and daemons that die while shims work: it costs the pod in question only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded, PodwrightError
from tests.faults.audit import records
from tests.faults.node import UNTIL_TOLD, Node, eventually, gone, running_node, tell
from tests.fixtures import FreshPodwright
from tests.harness.fake_shim import FakeShim

pytestmark = [pytest.mark.root]

COUNT = ("sh", "-c", "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo line $n; usleep 500; done")
RUNC = {"type": "shim"}
PATIENCE = {"containers": {"runtime_timeout_s": 5.0}}
SLOW_EXEC = """\
#!/bin/sh
[ "$*" = --version ] && echo slow version 1 && exit
for word do
    case $word in
        exec) [ -e {folder}/slow ] && sleep 3; break ;;
        create|start|delete|kill|state) break ;;
    esac
done
exec {runc} "$@"
"""
LATE_SHIM = """\
#!/bin/sh
containerd-shim-runc-v2 "$@" > {folder}/said
for word do action=$word; done
while [ "$action" = start ] && [ -e {folder}/late ]; do sleep 0.1; done
cat {folder}/said
"""
LITTLE_PATIENCE = {"containers": {"runtime_timeout_s": 4.0}}  # where a shim hangs


@pytest_asyncio.fixture
async def node(fresh_podwright: FreshPodwright, busybox_image: str) -> AsyncIterator[Node]:
    """A daemon whose default handler is containerd's shim for runc."""
    settings = {"default_handler": "runc", "handlers": {"runc": RUNC, "crun": {}}, **PATIENCE}
    async with running_node(fresh_podwright(settings), busybox_image) as made:
        yield made


@pytest.fixture
def fake(tmp_path: Path) -> FakeShim:
    """A shim that does wrong on demand."""
    return FakeShim(tmp_path / "fake")


@pytest_asyncio.fixture
async def fake_node(
    request: pytest.FixtureRequest, fresh_podwright: FreshPodwright, busybox_image: str, fake: FakeShim
) -> AsyncIterator[Node]:
    """A daemon whose default handler is that one, with a kind of sandbox, and a patience; crun is beside it."""
    sandbox, patience = getattr(request, "param", ("none", PATIENCE))
    handler = {"type": "shim", "runtime_type": str(fake.path), "sandbox": sandbox}
    settings = {"default_handler": "fake", "handlers": {"fake": handler, "crun": {}}, **patience}
    async with running_node(fresh_podwright(settings), busybox_image) as made:
        yield made
        fake.behave()


every_sandbox = pytest.mark.parametrize(
    "fake_node", [(kind, PATIENCE) for kind in ("none", "container", "api")], indirect=True, ids=lambda one: one[0]
)


def _record(node: Node, container: str) -> dict[str, Any]:
    return records(node.server, "containers")[container]


def _shim(node: Node, container: str) -> int:
    pid: int = _record(node, container)["task"]["shim_pid"]
    return pid


def _writer(node: Node) -> int:
    """The process that writes the logs."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes()
            except OSError:
                continue
            if b"log_writer/__main__.py" in words and str(node.server.state).encode() in words:
                return int(name)
    raise AssertionError("no log writer")


def _assert_complete(pod: CasePod, container: str, status: api.ContainerStatus) -> None:
    lines = pod.text(container, status).splitlines()
    assert len(lines) > 10
    assert lines == [f"line {number}" for number in range(1, len(lines) + 1)]


async def _still_works(node: Node, handler: str = "crun") -> None:
    """Another pod, meanwhile."""
    pod = await node.pod(handler=handler)
    container = await pod.run()
    assert (await pod.exec(container, "echo", "fine")).stdout == b"fine\n"
    await pod.stop(container, timeout=0)
    await node.remove(pod)


@pytest.mark.parametrize("killed", [False, True], ids=["SIGTERM", "SIGKILL"])
async def test_containers_outlive_the_daemon(node: Node, killed: bool) -> None:
    """Without a gap in their logs."""
    pod = await node.pod(hostname="stays")
    container = await pod.run(COUNT, name="main")
    before = await pod.status(container)
    for _ in range(2):
        if killed:
            node.server.kill9()
        else:
            assert await asyncio.to_thread(node.server.stop) == 0
        await asyncio.sleep(0.3)
        await node.again()
        assert await pod.status(container) == before
        assert (await pod.exec(container, "hostname")).stdout == b"stays\n"
    await pod.stop(container)
    status = await pod.status(container)
    assert (status.exit_code, status.reason) == (0, "Completed")
    _assert_complete(pod, container, status)
    await node.emptied()


async def test_a_flood_of_output_does_not_stop_while_the_daemon_is_away(node: Node) -> None:
    """Far more than a pipe holds is written and logged."""
    pod = await node.pod()
    script = f"{UNTIL_TOLD}; seq 1 200000; touch /done; sleep 1000"
    container = await pod.run(("sh", "-c", script), name="main")
    pid = _record(node, container)["pid"]
    node.server.kill9()
    tell(pid)

    async def is_done() -> bool:
        return os.path.exists(f"/proc/{pid}/root/done")

    await eventually(is_done, "the container has written all")
    await node.again()
    await pod.stop(container, timeout=0)
    assert pod.text(container, await pod.status(container)).splitlines() == [str(n) for n in range(1, 200001)]
    await node.emptied()


async def test_ends_that_no_daemon_saw(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run(("sh", "-c", f"{UNTIL_TOLD}; exit 42"), name="main")
    pid = _record(node, container)["pid"]
    node.server.kill9()
    tell(pid)
    await gone(pid)
    await node.again()
    status = await pod.exited(container)
    assert (status.exit_code, status.reason) == (42, "Error")
    await node.emptied()


@pytest.mark.parametrize("while_down", [False, True], ids=["daemon there", "daemon away"])
async def test_a_shim_is_killed(node: Node, while_down: bool) -> None:
    """Its pod's containers end with it; other pods do not notice, and a container can be started anew."""
    other = await node.pod()
    bystander = await other.run(COUNT, name="bystander")
    pod = await node.pod()
    containers = [await pod.run(COUNT, name=f"c{number}") for number in range(2)]
    pids = [_record(node, container)["pid"] for container in containers]
    shim = _shim(node, containers[0])
    assert shim == _shim(node, containers[1])
    if while_down:
        node.server.kill9()
    os.kill(shim, signal.SIGKILL)
    if while_down:
        await node.again()
    for container in containers:
        status = await pod.exited(container)
        assert (status.exit_code, status.reason) == (137, "Error")
        assert "shim" in status.message
    await gone(*pids)
    again = await pod.run(name="again")
    assert (await pod.exec(again, "echo", "back")).stdout == b"back\n"
    assert (await other.status(bystander)).state == api.CONTAINER_RUNNING
    await node.audited()
    await node.emptied()


async def test_a_shim_is_stopped(node: Node) -> None:
    """Its pod goes down all the same, with every process; other pods do not wait for it."""
    pod = await node.pod()
    container = await pod.run(COUNT, name="main")
    first, shim = _record(node, container)["pid"], _shim(node, container)
    os.kill(shim, signal.SIGSTOP)
    late = await pod.create(name="late")
    with pytest.raises(PodwrightError):
        await pod.start(late)
    with pytest.raises(PodwrightError):
        await pod.exec(container, "true", timeout=1)
    await _still_works(node, "runc")
    await pod.stop(container, timeout=1)
    await gone(first, shim)
    await node.audited()
    await node.emptied()


async def test_a_stopped_shim_after_a_restart(node: Node) -> None:
    """The daemon starts without it, and can take its containers down."""
    pod = await node.pod()
    container = await pod.run(COUNT, name="main")
    first, shim = _record(node, container)["pid"], _shim(node, container)
    os.kill(shim, signal.SIGSTOP)
    await node.reborn()
    assert (await pod.status(container)).state == api.CONTAINER_RUNNING  # it may be slow, and not dead
    await pod.stop(container, timeout=0)
    await gone(first, shim)
    await node.emptied()


async def test_the_log_writer_is_killed(node: Node) -> None:
    """Another one takes over, and nothing that was written in between is lost."""
    pod = await node.pod()
    container = await pod.run(COUNT, name="main")
    old = _writer(node)
    os.kill(old, signal.SIGKILL)

    async def replaced() -> bool:
        try:
            return _writer(node) != old
        except AssertionError:
            return False

    await eventually(replaced, "another log writer")
    await asyncio.sleep(0.2)
    await pod.stop(container)
    lines = pod.text(container, await pod.status(container)).splitlines()
    numbers = [int(line.rpartition(" ")[2]) for line in lines]
    assert numbers == list(range(1, len(numbers) + 1))
    await node.emptied()


async def test_the_oci_runtime_is_missing(fresh_podwright: FreshPodwright, busybox_image: str) -> None:
    """The message names it."""
    broken = {"type": "shim", "options": {"binary_name": "/no/such/runc"}}
    settings = {"default_handler": "crun", "handlers": {"broken": broken, "crun": {}}}
    async with running_node(fresh_podwright(settings), busybox_image) as node:
        pod = await node.pod(handler="broken")
        container = await pod.create()
        with pytest.raises(PodwrightError, match="/no/such/runc"):
            await pod.start(container)
        await _still_works(node)
        await node.emptied()


async def test_an_exec_that_is_given_up_while_it_starts(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path
) -> None:
    """The shim does not wait for readers that have gone, in which time it would start nothing else."""
    runtime = tmp_path / "runtime"
    runtime.write_text(SLOW_EXEC.format(folder=tmp_path, runc=shutil.which("runc")))
    runtime.chmod(0o755)
    handler = {"type": "shim", "options": {"binary_name": str(runtime)}}
    async with running_node(fresh_podwright({"handlers": {"slow": handler}}), busybox_image) as node:
        pod = await node.pod()
        container = await pod.run()
        (tmp_path / "slow").touch()
        with pytest.raises(DeadlineExceeded):
            await pod.exec(container, "sleep", "1000", timeout=1)
        (tmp_path / "slow").unlink()
        assert (await pod.exec(container, "echo", "fine")).stdout == b"fine\n"
        assert b"sleep 1000" not in (await pod.exec(container, "ps", "-o", "args")).stdout
        await node.emptied()


@pytest.mark.parametrize("killed", [False, True], ids=["daemon there", "daemon killed"])
async def test_a_shim_that_listens_but_does_not_say_so(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path, killed: bool
) -> None:
    """Its socket is removed with it."""
    program, late, said = tmp_path / "containerd-shim-late-v2", tmp_path / "late", tmp_path / "said"
    program.write_text(LATE_SHIM.format(folder=tmp_path))
    program.chmod(0o755)
    late.touch()
    handler = {"type": "shim", "runtime_type": str(program), "sandbox": "none"}
    settings = {"handlers": {"late": handler}, **LITTLE_PATIENCE}
    async with running_node(fresh_podwright(settings), busybox_image) as node:
        pod = await node.pod()
        running = asyncio.create_task(pod.run())

        async def listens() -> bool:
            return said.exists() and _socket(said).is_socket()

        await eventually(listens, "the shim listens")
        path = _socket(said)
        if killed:
            await node.reborn()
        with pytest.raises((PodwrightError, asyncio.CancelledError)):  # the latter as the channel is closed
            await running
        late.unlink()
        await node.emptied()
        assert not path.exists()


def _socket(said: Path) -> Path:
    """Where a shim says that it listens. Before it says so, this is a folder."""
    return Path(said.read_text().strip().removeprefix("unix://"))


@pytest.mark.parametrize("fault", ["hang", "garbage", "die"])
@pytest.mark.parametrize("stage", ["start", "Connect", "Create", "Start", "Wait"])
@pytest.mark.parametrize("fake_node", [("none", LITTLE_PATIENCE)], indirect=True, ids=lambda one: one[0])
async def test_a_shim_fails_at_a_stage(fake_node: Node, fake: FakeShim, stage: str, fault: str) -> None:
    """The pod fails with an error, or its container ends; crun's pods go on, and nothing is left."""
    fake.commit(f"{fault} {stage}")
    try:
        pod = await fake_node.pod()
        container = await pod.run()
        if fault != "hang" and (stage, fault) != ("Connect", "garbage"):  # its answer there can be done without
            assert (await pod.exited(container)).exit_code != 0
    except PodwrightError:
        pass
    await _still_works(fake_node)
    fake.behave()
    await fake_node.emptied()


@pytest.mark.parametrize("fault", ["hang", "garbage", "die"])
@pytest.mark.parametrize("stage", ["Kill", "Delete", "Shutdown"])
@pytest.mark.parametrize("fake_node", [("none", LITTLE_PATIENCE)], indirect=True, ids=lambda one: one[0])
async def test_a_shim_fails_when_its_pod_is_taken_down(
    fake_node: Node, fake: FakeShim, stage: str, fault: str
) -> None:
    """It is taken down all the same, and the next pod does not notice."""
    pod = await fake_node.pod()
    container = await pod.run()
    shim = _shim(fake_node, container)
    fake.commit(f"{fault} {stage}")
    await pod.stop(container, timeout=1)
    await fake_node.remove(pod)
    await gone(shim)
    await _still_works(fake_node)
    fake.behave()
    await (await fake_node.pod()).run()
    await fake_node.emptied()


@pytest.mark.parametrize("fault", ["hang", "garbage", "die"])
async def test_the_program_does_not_clean_up_for_its_shim(fake_node: Node, fake: FakeShim, fault: str) -> None:
    """What is known of the end then is that there was one."""
    pod = await fake_node.pod()
    container = await pod.run()
    fake.commit(f"{fault} delete")
    os.kill(_shim(fake_node, container), signal.SIGKILL)
    status = await pod.exited(container)
    assert (status.exit_code, status.reason) == (255, "Unknown")
    assert "shim" in status.message
    await fake_node.emptied()


@pytest.mark.parametrize("fault", ["hang CreateSandbox", "garbage StartSandbox", "die CreateSandbox"])
@pytest.mark.parametrize("fake_node", [("api", LITTLE_PATIENCE)], indirect=True, ids=lambda one: one[0])
async def test_a_sandbox_fails(fake_node: Node, fake: FakeShim, fault: str) -> None:
    """The pod is refused, and nothing is left of it."""
    fake.commit(fault)
    with pytest.raises(PodwrightError):
        await fake_node.pod()
    assert await fake_node.listed() == []
    fake.behave()
    await fake_node.audited()
    pod = await fake_node.pod()
    await pod.run()
    await fake_node.emptied()


@pytest.mark.parametrize("fault", ["hang", "garbage", "die"])
@pytest.mark.parametrize("stage", ["WaitSandbox", "StopSandbox", "ShutdownSandbox"])
@pytest.mark.parametrize("fake_node", [("api", LITTLE_PATIENCE)], indirect=True, ids=lambda one: one[0])
async def test_a_sandbox_fails_later(fake_node: Node, fake: FakeShim, stage: str, fault: str) -> None:
    """Its pod is taken down all the same."""
    fake.commit(f"{fault} {stage}")
    pod = await fake_node.pod()
    with contextlib.suppress(PodwrightError):  # the sandbox may have ended by now
        await pod.run()
    await _still_works(fake_node)
    await fake_node.emptied()
    assert stage in fake.asked


@pytest.mark.parametrize("fault", ["hang", "garbage", "die"])
@pytest.mark.parametrize("stage", ["Exec", "Stats", "Update"])
@pytest.mark.parametrize("fake_node", [("none", LITTLE_PATIENCE)], indirect=True, ids=lambda one: one[0])
async def test_a_shim_fails_while_its_container_runs(fake_node: Node, fake: FakeShim, stage: str, fault: str) -> None:
    """What is asked of it ends with an error, or without an answer's content. Others go on."""
    pod = await fake_node.pod()
    container = await pod.run()
    fake.commit(f"{fault} {stage}")
    runtime, limits = fake_node.cri.runtime, api.LinuxContainerResources(cpu_shares=512)
    update = api.UpdateContainerResourcesRequest(container_id=container, linux=limits)
    await asyncio.gather(
        pod.exec(container, "true", timeout=1),
        fake_node.cri.call(runtime.ContainerStats, api.ContainerStatsRequest(container_id=container)),
        fake_node.cri.call(runtime.UpdateContainerResources, update),
        return_exceptions=True,
    )
    await _still_works(fake_node)
    await pod.stop(container, timeout=1)
    await fake_node.remove(pod)
    fake.behave()
    await (await fake_node.pod()).run()
    await fake_node.emptied()


@pytest.mark.parametrize("fault", ["hang", "garbage", "die"])
@pytest.mark.parametrize("stage", ["Connect", "State", "Wait"])
@pytest.mark.parametrize("fake_node", [("none", LITTLE_PATIENCE)], indirect=True, ids=lambda one: one[0])
async def test_a_shim_fails_at_a_restart(fake_node: Node, fake: FakeShim, stage: str, fault: str) -> None:
    """The next daemon starts, and takes its pod down."""
    pod = await fake_node.pod()
    container = await pod.run()
    shim = _shim(fake_node, container)
    fake.commit(f"{fault} {stage}")
    await fake_node.reborn()
    await _still_works(fake_node)
    await pod.stop(container, timeout=0)
    await fake_node.remove(pod)
    await gone(shim)
    await fake_node.emptied()


@pytest.mark.parametrize("fault", ["flood", "garbage events"])
async def test_a_shim_floods_us_with_events(fake_node: Node, fake: FakeShim, fault: str) -> None:
    fake.commit(fault)
    pod = await fake_node.pod()
    container = await pod.run()
    await _still_works(fake_node)
    await pod.stop(container, timeout=0)
    await fake_node.emptied()


async def test_a_shim_says_that_it_is_somebody_else(fake_node: Node, fake: FakeShim) -> None:
    """Its word is not enough to kill a process."""
    with subprocess.Popen(["sleep", "1000"]) as bystander:  # noqa: ASYNC220 # it takes a millisecond
        fake.commit(f"lie {bystander.pid}")
        pod = await fake_node.pod()
        await pod.run()
        await fake_node.emptied()
        assert bystander.poll() is None
        bystander.kill()


@every_sandbox
async def test_a_container_without_a_process_on_this_host(fake_node: Node, fake: FakeShim) -> None:
    """As of a virtual machine: it runs, is measured, is found again and ends by what its shim says alone."""
    pod = await fake_node.pod()
    container = await pod.run(name="main")
    assert _record(fake_node, container).get("pid", 0) == 0
    await fake_node.reborn()
    assert (await pod.status(container)).state == api.CONTAINER_RUNNING
    request = api.ContainerStatsRequest(container_id=container)
    stats = (await fake_node.cri.call(fake_node.cri.runtime.ContainerStats, request)).stats
    assert (stats.cpu.usage_core_nano_seconds.value, stats.memory.working_set_bytes.value) == (7000, 4000)
    await pod.stop(container)
    status = await pod.status(container)
    assert status.exit_code == 128 + signal.SIGTERM
    assert "killed" in pod.text(container, status)
    await fake_node.emptied()
