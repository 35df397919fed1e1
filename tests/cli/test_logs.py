"""`podwright logs` against real CRI servers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.peer import CriPeer
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound
from tests.cli.conftest import RUN_TIMEOUT_S, Cli, begun_cli

pytestmark = pytest.mark.root

Start = Callable[..., Awaitable[str]]


@pytest_asyncio.fixture
async def start(cri_server: CriPeer, busybox_image: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts scripts in one pod, as attempts of the container `main`; gives their ids."""
    cri = cri_server.client
    config = api.PodSandboxConfig(
        metadata=api.PodSandboxMetadata(name="logs", namespace="cli", uid=str(uuid.uuid4())),
        log_directory=str(tmp_path / "logs"),
    )
    config.linux.cgroup_parent = cri_server.cgroup_parent
    config.linux.security_context.namespace_options.network = api.NODE
    await cri.call(cri.images.PullImage, api.PullImageRequest(image=api.ImageSpec(image=busybox_image)))
    sandbox_id = (await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config))).pod_sandbox_id

    async def started(script: str, attempt: int = 0) -> str:
        container = api.ContainerConfig(
            metadata=api.ContainerMetadata(name="main", attempt=attempt),
            image=api.ImageSpec(image=busybox_image),
            command=["sh", "-c", script],
            log_path=f"main/{attempt}.log",
        )
        (tmp_path / "logs/main").mkdir(exist_ok=True, parents=True)
        request = api.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=container, sandbox_config=config)
        container_id = (await cri.call(cri.runtime.CreateContainer, request)).container_id
        await cri.call(cri.runtime.StartContainer, api.StartContainerRequest(container_id=container_id))
        return container_id

    try:
        yield started
    finally:
        with contextlib.suppress(NotFound):
            await cri.call(cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=sandbox_id))
        await cri.call(cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id))


async def ended(cri_server: CriPeer, container_id: str) -> None:
    """Wait for the container's end; its log is complete then."""
    request = api.ContainerStatusRequest(container_id=container_id)
    async with asyncio.timeout(RUN_TIMEOUT_S):
        while True:
            status = (await cri_server.client.call(cri_server.client.runtime.ContainerStatus, request)).status
            if status.state == api.CONTAINER_EXITED:
                return
            await asyncio.sleep(0.05)


async def test_the_last_lines_count_one_without_a_newline(cli: Cli, cri_server: CriPeer, start: Start) -> None:
    name = await start("printf 'a\\nb\\nc'")
    await ended(cri_server, name)
    for tail, shown in (("0", ""), ("1", "c"), ("2", "b\nc"), ("3", "a\nb\nc"), ("9", "a\nb\nc"), ("-1", "a\nb\nc")):
        done = await cli("logs", "--tail", tail, name)
        assert (done.code, done.out, done.err) == (0, shown, ""), tail
    assert (await cli("logs", name)).out == "a\nb\nc"
    following = await cli("logs", "-f", "--tail", "1", name)
    assert (following.code, following.out) == (0, "c")


async def stop(cri_server: CriPeer, container_id: str) -> None:
    request = api.StopContainerRequest(container_id=container_id, timeout=10)
    await cri_server.client.call(cri_server.client.runtime.StopContainer, request)


async def test_a_tail_is_followed(cri_server: CriPeer, start: Start, tmp_path: Path) -> None:
    name = await start("echo a; echo b; trap 'printf c; exit 0' TERM; sleep 1000 & wait")
    await written(tmp_path / "logs/main/0.log", b"b\n")
    async with begun_cli("logs", "-f", "--tail", "1", name, endpoint=cri_server.endpoint) as following:
        assert following.stdout is not None
        assert await following.stdout.readline() == b"b\n"
        await stop(cri_server, name)
        assert await following.stdout.read() == b"c"
        assert await following.wait() == 0


async def written(log: Path, text: bytes) -> None:
    """Wait until it is in the log."""
    async with asyncio.timeout(RUN_TIMEOUT_S):
        while not log.exists() or text not in log.read_bytes():  # noqa: ASYNC110 # nobody tells us
            await asyncio.sleep(0.05)


async def test_since_a_moment_with_times(cli: Cli, cri_server: CriPeer, start: Start) -> None:
    name = await start("echo old; sleep 1.2; echo new; sleep 1; echo newer >&2")  # each stream has a clock of its own
    await ended(cri_server, name)
    stamped = await cli("logs", "-t", name)
    moment, _, text = stamped.out.splitlines()[1].partition(" ")
    assert text == "new"
    late = await cli("logs", "--since", moment, name)
    assert (late.out, late.err) == ("new\n", "newer\n")
    last = await cli("logs", "--since", moment, "--tail", "1", "--timestamps", name)
    assert (last.out, last.err.split(" ", 1)[1]) == ("", "newer\n")
    assert (await cli("logs", "--since", "1h", name)).out == "old\nnew\n"
    assert (await cli("logs", "--since", "0s", name)).out == ""
    assert (await cli("logs", "-f", "--since", moment, name)).out == "new\n"
    wrong = await cli("logs", "--since", "yesterday", name)
    assert (wrong.code, wrong.out) == (2, "")


async def test_the_attempt_before_also_when_only_its_log_is_left(cli: Cli, cri_server: CriPeer, start: Start) -> None:
    first = await start("echo first")
    await ended(cri_server, first)
    assert (await cli("logs", "-p", first)).code == 1
    second = await start("echo second; sleep 1000", attempt=1)
    for options in (("-p",), ("--previous", "-f"), ("-pf", "--tail", "1")):
        done = await cli("logs", *options, second)
        assert (done.code, done.out) == (0, "first\n"), options
    remove = api.RemoveContainerRequest(container_id=first)
    log = (
        await cri_server.client.call(
            cri_server.client.runtime.ContainerStatus, api.ContainerStatusRequest(container_id=first)
        )
    ).status.log_path
    kept = Path(log).read_bytes()
    await cri_server.client.call(cri_server.client.runtime.RemoveContainer, remove)
    Path(log).write_bytes(kept)  # where the runtime removed it
    assert (await cli("logs", "-p", second)).out == "first\n"
    os.unlink(log)
    gone = await cli("logs", "-p", second)
    assert (gone.code, gone.out) == (1, "")
    assert "no attempt before" in gone.err


async def test_one_stream_and_no_more_than_some_bytes(cli: Cli, cri_server: CriPeer, start: Start) -> None:
    name = await start("echo out; echo err >&2; sleep 0.2; echo more")
    await ended(cri_server, name)
    done = await cli("logs", "--stream", "stdout", "--tail", "2", name)
    assert (done.out, done.err) == ("out\nmore\n", "")
    assert (await cli("logs", "-s", "stderr", "--tail", "1", name)).err == "err\n"
    assert (await cli("logs", "-f", "-s", "stdout", "--limit-bytes", "6", name)).out == "out\nmo"


async def test_a_rotated_log_is_followed(cli: Cli, cri_server: CriPeer, start: Start, tmp_path: Path) -> None:
    name = await start("echo before; trap 'echo after; exit 0' TERM; sleep 1000 & wait")
    log = tmp_path / "logs/main/0.log"
    async with begun_cli("logs", "-f", name, endpoint=cri_server.endpoint) as following:
        assert following.stdout is not None
        assert await following.stdout.readline() == b"before\n"
        log.rename(f"{log}.1")
        assert (await cli("logs", "--reopen", "--tail", "0", name)).code == 0
        await stop(cri_server, name)
        assert await following.stdout.read() == b"after\n"
    assert b"after" in log.read_bytes()


async def test_a_log_that_is_not_there_yet_is_waited_for_only_when_followed(
    cli: Cli, cri_server: CriPeer, start: Start, tmp_path: Path
) -> None:
    name = await start("trap 'echo end; exit 0' TERM; sleep 1000 & wait")
    log = tmp_path / "logs/main/0.log"
    log.rename(f"{log}.1")
    absent = await cli("logs", name)
    assert (absent.code, absent.out) == (1, "")
    assert "does not exist" in absent.err
    async with begun_cli("logs", "-f", "--tail", "5", name, endpoint=cri_server.endpoint) as following:
        assert following.stdout is not None
        assert (await cli("logs", "--reopen", name)).code == 0
        await stop(cri_server, name)
        assert await following.stdout.read() == b"end\n"
        assert await following.wait() == 0


async def test_bytes_come_as_they_were_written(cli: Cli, cri_server: CriPeer, start: Start) -> None:
    name = await start("printf 'x%.0s' $(seq 40000); echo; echo $'\\xc3\\xbc'")
    await ended(cri_server, name)
    done = await cli("logs", name)
    assert (done.out, done.err) == ("x" * 40000 + "\n\u00fc\n", "")
