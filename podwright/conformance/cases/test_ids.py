"""Ids: their form, their unique prefixes, and what an empty one means."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, NotFound, PodwrightError

ID = re.compile(r"[0-9a-f]{64}")

Call = Callable[[CriClient, str], Awaitable[object]]

SANDBOX_CALLS: dict[str, Call] = {
    "PodSandboxStatus": lambda cri, key: cri.call(
        cri.runtime.PodSandboxStatus, api.PodSandboxStatusRequest(pod_sandbox_id=key)
    ),
    "StopPodSandbox": lambda cri, key: cri.call(
        cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=key)
    ),
    "RemovePodSandbox": lambda cri, key: cri.call(
        cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=key)
    ),
}
CONTAINER_CALLS: dict[str, Call] = {
    "ContainerStatus": lambda cri, key: cri.call(
        cri.runtime.ContainerStatus, api.ContainerStatusRequest(container_id=key)
    ),
    "StartContainer": lambda cri, key: cri.call(
        cri.runtime.StartContainer, api.StartContainerRequest(container_id=key)
    ),
    "ExecSync": lambda cri, key: cri.call(
        cri.runtime.ExecSync, api.ExecSyncRequest(container_id=key, cmd=["true"], timeout=20)
    ),
    "ContainerStats": lambda cri, key: cri.call(
        cri.runtime.ContainerStats, api.ContainerStatsRequest(container_id=key)
    ),
    "UpdateContainerResources": lambda cri, key: cri.call(
        cri.runtime.UpdateContainerResources,
        api.UpdateContainerResourcesRequest(container_id=key, linux=api.LinuxContainerResources(cpu_shares=100)),
    ),
    "ReopenContainerLog": lambda cri, key: cri.call(
        cri.runtime.ReopenContainerLog, api.ReopenContainerLogRequest(container_id=key)
    ),
    "StopContainer": lambda cri, key: cri.call(
        cri.runtime.StopContainer, api.StopContainerRequest(container_id=key, timeout=0)
    ),
    "RemoveContainer": lambda cri, key: cri.call(
        cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=key)
    ),
}
IDEMPOTENT = ("Stop", "Remove")


async def test_ids_are_64_hexadecimal_digits(pod: CasePod) -> None:
    container_id = await pod.create()
    assert ID.fullmatch(pod.id)
    assert ID.fullmatch(container_id)


async def test_a_unique_prefix_is_enough(pod: CasePod) -> None:
    container_id = await pod.create()
    for call in CONTAINER_CALLS.values():
        await call(pod.cri, container_id[:16])
    with pytest.raises(NotFound):
        await pod.status(container_id)
    for call in SANDBOX_CALLS.values():
        await call(pod.cri, pod.id[:16])


@pytest.mark.deviates("cri-o", "answers UNKNOWN to some calls")
@pytest.mark.parametrize("name", [name for name in CONTAINER_CALLS if not name.startswith(IDEMPOTENT)])
async def test_a_container_that_is_not_there(pod: CasePod, name: str) -> None:
    with pytest.raises(NotFound):
        await CONTAINER_CALLS[name](pod.cri, "f" * 64)


@pytest.mark.deviates("cri-o", "answers UNKNOWN or NOT_FOUND")
@pytest.mark.deviates("containerd", "answers UNKNOWN, or finds the only container by an empty prefix")
@pytest.mark.parametrize("name", [*SANDBOX_CALLS, *CONTAINER_CALLS])
async def test_an_empty_id_is_refused(pod: CasePod, name: str) -> None:
    call = SANDBOX_CALLS.get(name) or CONTAINER_CALLS[name]
    with pytest.raises(InvalidArgument):
        await call(pod.cri, "")


@pytest.mark.deviates("cri-o", "takes it for unknown")
async def test_an_ambiguous_prefix_is_refused_also_where_unknown_ids_are_fine(pod: CasePod) -> None:
    ids = [await pod.create() for _ in range(17)]  # of 17 ids two begin with the same digit
    digits = [key[0] for key in ids]
    shared = next(digit for digit in digits if digits.count(digit) > 1)
    for name, call in CONTAINER_CALLS.items():
        with pytest.raises(PodwrightError) as refused:
            await call(pod.cri, shared)
        assert not isinstance(refused.value, NotFound), name
    for key in ids:
        await pod.status(key)
