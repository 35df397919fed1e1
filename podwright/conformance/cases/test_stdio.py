"""The descriptors 0, 1 and 2 of a container's processes: whose they are, and what else they lead to."""

from __future__ import annotations

import os

import pytest
import pytest_asyncio

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import RunPod
from podwright.conformance.streams import Given, Speech, streamed_exec
from podwright.cri.v1 import api_pb2 as api

HOST_ID = 73000
UID = 4321
MAPPING = api.IDMapping(host_id=HOST_ID, container_id=0, length=65536)
OPENED = ": < /dev/stdin && echo in; echo out > /dev/stdout; echo err > /dev/stderr"
IDENTITIES = "for n in 0 1 2; do stat -Lc %d:%i /proc/self/fd/$n; done"


@pytest_asyncio.fixture(params=["host", "pod"])
async def namespaces(request: pytest.FixtureRequest, cri_server: CriPeer) -> api.NamespaceOption:
    """The host's users, or the pod's own."""
    if request.param == "host":
        return api.NamespaceOption(pid=api.CONTAINER)
    if not await cri_server.handlers(own_users=True):
        pytest.skip("no handler tells that it has user namespaces")
    users = api.UserNamespace(mode=api.POD, uids=[MAPPING], gids=[MAPPING])
    return api.NamespaceOption(pid=api.CONTAINER, userns_options=users)


@pytest_asyncio.fixture
async def handlers(cri_server: CriPeer, namespaces: api.NamespaceOption) -> list[str]:
    """Those that can run such pods."""
    return await cri_server.handlers(own_users=namespaces.HasField("userns_options"))


@pytest.fixture(params=[0, UID])
def linux(request: pytest.FixtureRequest, namespaces: api.NamespaceOption) -> api.LinuxContainerConfig:
    """Root, and another user."""
    user = api.Int64Value(value=request.param)
    context = api.LinuxContainerSecurityContext(run_as_user=user, namespace_options=namespaces)
    return api.LinuxContainerConfig(security_context=context)


def _of_the_host() -> str:
    """The host's /dev/null, as `stat` in a container shows it."""
    null = os.stat("/dev/null")
    return f"{null.st_dev}:{null.st_ino}"


@pytest.mark.parametrize("tty", [False, True])
async def test_the_first_process_opens_its_stdio_by_name(
    run_pod: RunPod, handlers: list[str], namespaces: api.NamespaceOption, linux: api.LinuxContainerConfig, tty: bool
) -> None:
    for handler in handlers:
        async with run_pod(namespaces=namespaces, runtime_handler=handler) as pod:
            said = await pod.output("sh", "-c", OPENED, linux=linux, tty=tty)
            assert sorted(said.split()) == ["err", "in", "out"], handler


async def test_a_command_opens_its_stdio_by_name(
    run_pod: RunPod, handlers: list[str], namespaces: api.NamespaceOption, linux: api.LinuxContainerConfig
) -> None:
    for handler in handlers:
        async with run_pod(namespaces=namespaces, runtime_handler=handler) as pod:
            answer = await pod.exec(await pod.run(linux=linux), "sh", "-c", OPENED)
            assert (answer.stdout, answer.stderr) == (b"in\nout\n", b"err\n"), handler


@pytest.mark.parametrize("tty", [False, True])
async def test_a_streamed_command_opens_its_stdio_by_name(
    run_pod: RunPod, handlers: list[str], namespaces: api.NamespaceOption, linux: api.LinuxContainerConfig, tty: bool
) -> None:
    for handler in handlers:
        async with run_pod(namespaces=namespaces, runtime_handler=handler) as pod:
            script = f"read -r word < /dev/stdin; echo $word; {OPENED}"
            container_id = await pod.run(linux=linux)
            stdin = Given(b"typed\n", open_ended=tty)
            ended = await streamed_exec(pod, container_id, "sh", "-c", script, speech=Speech(), stdin=stdin, tty=tty)
            words = ended.out.split() + ended.err.split()
            assert sorted(words) == sorted([b"err", b"in", b"out", *[b"typed"] * (2 if tty else 1)]), handler


@pytest.mark.parametrize("tty", [False, True])
async def test_no_descriptor_of_the_first_process_is_the_hosts(
    run_pod: RunPod, handlers: list[str], namespaces: api.NamespaceOption, linux: api.LinuxContainerConfig, tty: bool
) -> None:
    """Whoever has one may change the mode of what everybody else opens, too."""
    for handler in handlers:
        async with run_pod(namespaces=namespaces, runtime_handler=handler) as pod:
            found = (await pod.output("sh", "-c", IDENTITIES, linux=linux, tty=tty)).split()
            assert len(found) == 3
            assert _of_the_host() not in found, handler


@pytest.mark.deviates("containerd", "the input of a command without one is the host's /dev/null")
async def test_no_descriptor_of_a_command_is_the_hosts(
    run_pod: RunPod, handlers: list[str], namespaces: api.NamespaceOption, linux: api.LinuxContainerConfig
) -> None:
    for handler in handlers:
        async with run_pod(namespaces=namespaces, runtime_handler=handler) as pod:
            container_id = await pod.run(linux=linux)
            answer = await pod.exec(container_id, "sh", "-c", IDENTITIES)
            streamed = await streamed_exec(pod, container_id, "sh", "-c", IDENTITIES, speech=Speech())
            for found in (answer.stdout, streamed.out):
                assert len(found.split()) == 3
                assert _of_the_host() not in found.decode().split(), handler


async def test_the_hosts_devices_stay_roots(
    run_pod: RunPod, handlers: list[str], namespaces: api.NamespaceOption, linux: api.LinuxContainerConfig
) -> None:
    """Older cruns give what they have as stdio to the process's user, devices too."""
    theirs = {UID, HOST_ID, HOST_ID + UID}
    for handler in handlers:
        async with run_pod(namespaces=namespaces, runtime_handler=handler) as pod:
            try:
                for tty in (False, True):
                    container_id = await pod.run(linux=linux, tty=tty)
                    await pod.exec(container_id, "true")
                    for exec_tty in (False, True):
                        await streamed_exec(pod, container_id, "true", speech=Speech(), tty=exec_tty)
                for device in ("/dev/null", "/dev/zero", "/dev/tty"):
                    assert os.stat(device).st_uid not in theirs, f"{handler} {device}"
            finally:
                if os.stat("/dev/null").st_uid in theirs:
                    os.chown("/dev/null", 0, 0)
