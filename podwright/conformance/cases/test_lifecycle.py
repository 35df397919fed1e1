"""How containers end: what ends with them, what a stop waits for, and what the status says."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.pods import DEAF, CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PodwrightError,
)

COUNT_SIGNALS = ("sh", "-c", "trap 'echo heard' TERM; echo ready; while :; do sleep 0.05; done")
NAP = f"sleep 7654{os.getpid()}"  # on the host's PIDs, other runs' may be seen
ORPHANS = f"{NAP} & setsid {NAP} & (setsid {NAP} &)"


async def _left(pod: CasePod, container_id: str) -> int:
    """How many of the orphans the container sees."""
    return (await pod.exec(container_id, "ps", "-o", "args")).stdout.decode().split("\n").count(NAP)


async def test_the_stop_signal_is_sent_once(pod: CasePod) -> None:
    container_id = await pod.run_ready(COUNT_SIGNALS)
    await asyncio.gather(*(pod.stop(container_id, timeout=timeout) for timeout in (60, 30, 2)))
    status = await pod.status(container_id)
    assert (status.state, status.exit_code) == (api.CONTAINER_EXITED, 137)
    assert pod.text(container_id).count("heard") == 1


@pytest.mark.deviates("containerd", "the stop ends with its caller, without SIGKILL", run=False)
async def test_a_stop_goes_on_without_its_caller(pod: CasePod) -> None:
    container_id = await pod.run_ready(DEAF)
    request = api.StopContainerRequest(container_id=container_id, timeout=5)
    with pytest.raises(DeadlineExceeded):
        await pod.cri.call(pod.cri.runtime.StopContainer, request, 1.0)
    assert (await pod.status(container_id)).state == api.CONTAINER_RUNNING
    assert (await pod.exited(container_id)).exit_code == 137


async def test_no_later_stop_makes_the_grace_longer(pod: CasePod) -> None:
    container_id = await pod.run_ready(DEAF)
    await asyncio.gather(pod.stop(container_id, timeout=1), pod.stop(container_id, timeout=600))
    assert (await pod.status(container_id)).exit_code == 137


async def test_a_negative_grace_is_none(pod: CasePod) -> None:
    container_id = await pod.run_ready(DEAF)
    await pod.stop(container_id, timeout=-5)
    assert (await pod.status(container_id)).exit_code == 137


@pytest.mark.deviates("cri-o", "the stop after the end changes what is told")
async def test_what_is_told_at_the_end_stays(pod: CasePod) -> None:
    """Code, reason and times are final as soon as EXITED is seen, and the log is whole."""
    container_id = await pod.run(("sh", "-c", "seq 2000; exit 3"))
    status = await pod.exited(container_id)
    assert pod.text(container_id).splitlines() == [str(number) for number in range(1, 2001)]
    assert (status.exit_code, status.reason) == (3, "Error")
    assert status.created_at < status.started_at
    assert status.created_at < status.finished_at  # how it began may be told later than how it ended
    await pod.stop(container_id)
    assert await pod.status(container_id) == status


@pytest.mark.deviates("cri-o", "the process that holds a shared PID namespace needs CAP_SYS_RESOURCE")
@pytest.mark.parametrize("mode", [api.CONTAINER, api.POD, api.NODE], ids=["own", "pod", "node"])
async def test_nothing_outlives_its_container(run_pod: RunPod, mode: api.NamespaceMode) -> None:
    """Whatever the PID namespace: what the container and commands in it have started ends with its first process."""
    async with run_pod(namespaces=api.NamespaceOption(pid=mode)) as pod:
        watcher = await pod.run(name="watcher")
        script = f"{ORPHANS}; trap 'exit 4' TERM; touch /armed; while :; do sleep 0.1; done"
        container_id = await pod.run(("sh", "-c", script))
        command = asyncio.create_task(
            pod.exec(container_id, "sh", "-c", f"{ORPHANS}; touch /up; {NAP}"), name="long exec"
        )
        async with asyncio.timeout(patient(60)):
            while (await pod.exec(container_id, "test", "-e", "/up", "-a", "-e", "/armed")).exit_code:  # noqa: ASYNC110 # as a client polls
                await asyncio.sleep(0.05)
        await pod.stop(container_id)
        assert (await pod.status(container_id)).exit_code == 4
        with contextlib.suppress(PodwrightError):  # the answer may be the kill's code or an error; it must come
            assert (await command).exit_code != 0
        assert await _left(pod, watcher) == 0


async def test_pid_namespace_of_a_target(pod: CasePod) -> None:
    target = await pod.run_ready(name="c0")
    options = api.NamespaceOption(pid=api.TARGET, target_id=target)
    linux = api.LinuxContainerConfig(security_context=api.LinuxContainerSecurityContext(namespace_options=options))
    guest = await pod.run(name="guest", linux=linux)
    listing = (await pod.exec(guest, "ps")).stdout.decode().splitlines()
    assert any(line.split()[0] == "1" and "echo ready" in line for line in listing)
    await pod.stop(guest, timeout=0)
    assert (await pod.status(target)).state == api.CONTAINER_RUNNING


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "answers UNKNOWN, or starts it")
async def test_pid_namespaces_that_are_no_targets(run_pod: RunPod, pod: CasePod) -> None:
    def in_namespace_of(target: str) -> api.LinuxContainerConfig:
        options = api.NamespaceOption(pid=api.TARGET, target_id=target)
        return api.LinuxContainerConfig(security_context=api.LinuxContainerSecurityContext(namespace_options=options))

    with pytest.raises(InvalidArgument):
        await pod.create(name="none", linux=in_namespace_of(""))
    with pytest.raises(NotFound):
        await pod.create(name="unknown", linux=in_namespace_of("0" * 64))
    async with run_pod() as other:
        with pytest.raises(InvalidArgument):
            await pod.create(name="elsewhere", linux=in_namespace_of(await other.run()))
    waiting = await pod.create(name="waiting")
    with pytest.raises(FailedPrecondition):
        await pod.create(name="early", linux=in_namespace_of(waiting))
    await pod.start(waiting)
    late = await pod.create(name="late", linux=in_namespace_of(waiting))
    await pod.stop(waiting, timeout=0)
    with pytest.raises(FailedPrecondition):
        await pod.start(late)
    assert (await pod.status(late)).reason == "StartError"


@pytest.mark.deviates("containerd", "waits for a child that holds the pipes", run=False)
async def test_a_daemon_does_not_hold_up_the_answer(pod: CasePod) -> None:
    container_id = await pod.run()
    answer = await pod.exec(container_id, "sh", "-c", "echo said; (setsid sleep 1000 &); exit 5")
    assert (answer.exit_code, answer.stdout) == (5, b"said\n")


@pytest.mark.deviates("cri-o", "does not know the call")
@pytest.mark.deviates("containerd", "does not know the call")
async def test_a_stopped_pod_starts_again(pod: CasePod) -> None:
    """Under its id and with its address. Its containers have ended."""
    container_id = await pod.run()
    request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id)
    before = (await pod.cri.call(pod.cri.runtime.PodSandboxStatus, request)).status.network
    start = api.StartPodSandboxRequest(pod_sandbox_id=pod.id)
    await pod.cri.call(pod.cri.runtime.StartPodSandbox, start)  # it is READY: nothing happens
    assert (await pod.status(container_id)).state == api.CONTAINER_RUNNING
    await pod.cri.call(pod.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
    await pod.cri.call(pod.cri.runtime.StartPodSandbox, start)
    status = (await pod.cri.call(pod.cri.runtime.PodSandboxStatus, request)).status
    assert (status.state, status.network) == (api.SANDBOX_READY, before)
    assert (await pod.status(container_id)).state == api.CONTAINER_EXITED
    assert await pod.output("echo", "fine", name="again", attempt=1) == "fine\n"
    unknown = api.StartPodSandboxRequest(pod_sandbox_id="0" * 64)
    with pytest.raises(NotFound):
        await pod.cri.call(pod.cri.runtime.StartPodSandbox, unknown)
