"""PauseContainer and UnpauseContainer, and what is possible with a paused container."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import SLEEP, CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, NotFound

COUNT = ("sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do echo $((n=n+1)); sleep 0.01; done")
STILL_S = 0.2

pytestmark = [
    pytest.mark.deviates("containerd", "1.6 came before the RPCs"),
    pytest.mark.deviates("cri-o", "does not know the calls"),
]


async def _pause(pod: CasePod, container_id: str) -> None:
    await pod.cri.call(pod.cri.runtime.PauseContainer, api.PauseContainerRequest(container_id=container_id))


async def _unpause(pod: CasePod, container_id: str) -> None:
    await pod.cri.call(pod.cri.runtime.UnpauseContainer, api.UnpauseContainerRequest(container_id=container_id))


async def _stands_still(pod: CasePod, container_id: str) -> None:
    """Wait until the log does not grow any more: the monitor may still have something to write."""
    before = None
    async with asyncio.timeout(patient(60)):
        while (now := pod.log(container_id)) != before:
            before = now
            await asyncio.sleep(STILL_S)


async def test_a_paused_container_stands_still(pod: CasePod) -> None:
    container_id = await pod.run_ready(COUNT)
    for _ in range(2):  # a retry is a success
        await _pause(pod, container_id)
    await _stands_still(pod, container_id)
    assert (await pod.status(container_id)).state == api.CONTAINER_RUNNING
    for _ in range(2):
        await _unpause(pod, container_id)
    before = pod.log(container_id)
    async with asyncio.timeout(patient(60)):
        while pod.log(container_id) == before:  # noqa: ASYNC110 # a log file tells nobody
            await asyncio.sleep(0.02)


async def test_a_command_in_a_paused_container_is_refused(pod: CasePod) -> None:
    container_id = await pod.run_ready()
    await _pause(pod, container_id)
    with pytest.raises(FailedPrecondition, match="paused"):
        await pod.exec(container_id, "true")
    await _unpause(pod, container_id)
    assert (await pod.exec(container_id, "true")).exit_code == 0


async def test_a_paused_container_hears_its_stop(pod: CasePod) -> None:
    container_id = await pod.run_ready(COUNT)
    await _pause(pod, container_id)
    await pod.stop(container_id, timeout=30)
    status = await pod.status(container_id)
    assert (status.state, status.exit_code) == (api.CONTAINER_EXITED, 5)


async def test_a_paused_container_can_be_killed_and_removed(pod: CasePod) -> None:
    killed, removed = await pod.run_ready(COUNT), await pod.run_ready(COUNT)
    for container_id in (killed, removed):
        await _pause(pod, container_id)
    await pod.stop(killed, timeout=0)
    assert (await pod.status(killed)).exit_code == 137
    await pod.cri.call(pod.cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=removed))
    with pytest.raises(NotFound):
        await pod.status(removed)


@pytest.mark.parametrize("mode", [api.CONTAINER, api.POD], ids=["own pids", "shared pids"])
async def test_a_pod_with_a_paused_container_stops(run_pod: RunPod, mode: api.NamespaceMode) -> None:
    async with run_pod(namespaces=api.NamespaceOption(pid=mode)) as pod:
        container_id = await pod.run_ready(COUNT)
        await _pause(pod, container_id)
        await pod.cri.call(pod.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
        assert (await pod.status(container_id)).state == api.CONTAINER_EXITED


async def test_limits_and_logs_of_a_paused_container_can_be_changed(pod: CasePod) -> None:
    container_id = await pod.run_ready(COUNT)
    await _pause(pod, container_id)
    limits = api.LinuxContainerResources(cpu_shares=300)
    await pod.cri.call(
        pod.cri.runtime.UpdateContainerResources,
        api.UpdateContainerResourcesRequest(container_id=container_id, linux=limits),
    )
    path = Path((await pod.status(container_id)).log_path)
    path.rename(path.with_name("old"))
    request = api.ReopenContainerLogRequest(container_id=container_id)
    await pod.cri.call(pod.cri.runtime.ReopenContainerLog, request)
    assert path.exists()
    await _unpause(pod, container_id)
    async with asyncio.timeout(patient(60)):
        while not path.read_text():  # noqa: ASYNC110 # a log file tells nobody
            await asyncio.sleep(0.02)


async def test_refusals(cri_server: CriPeer, pod: CasePod) -> None:
    created = await pod.create(SLEEP)
    exited = await pod.run(("true",))
    await pod.exited(exited)
    for verb in (_pause, _unpause):
        for container_id in (created, exited):
            with pytest.raises(FailedPrecondition):
                await verb(pod, container_id)
        with pytest.raises(NotFound):
            await verb(pod, "f" * 64)
