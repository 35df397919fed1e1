"""`kill -9` of the daemon in the middle of requests that change what runs; the same request succeeds later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from podwright.conformance.cgroups import cgroup_of
from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError
from tests.faults.node import Node, eventually
from tests.faults.test_kill9 import TICKS, ticking

pytestmark = [pytest.mark.root, pytest.mark.slow]

DELAYS_MS = (0.5, 2.0, 4.0, 9.0)
MIB = 1024 * 1024
Act = Callable[[CasePod, str], Awaitable[None]]


async def update(pod: CasePod, container: str) -> None:
    limits = api.LinuxContainerResources(memory_limit_in_bytes=96 * MIB, cpu_shares=300, oom_score_adj=300)
    request = api.UpdateContainerResourcesRequest(container_id=container, linux=limits)
    await pod.cri.call(pod.cri.runtime.UpdateContainerResources, request)


async def pause(pod: CasePod, container: str) -> None:
    await pod.cri.call(pod.cri.runtime.PauseContainer, api.PauseContainerRequest(container_id=container))


async def unpause(pod: CasePod, container: str) -> None:
    await pod.cri.call(pod.cri.runtime.UnpauseContainer, api.UnpauseContainerRequest(container_id=container))


async def reopen(pod: CasePod, container: str) -> None:
    request = api.ReopenContainerLogRequest(container_id=container)
    await pod.cri.call(pod.cri.runtime.ReopenContainerLog, request)


async def nothing(pod: CasePod, container: str) -> None:
    """No preparation."""


async def rotate(pod: CasePod, container: str) -> None:
    path = Path((await pod.status(container)).log_path)
    path.rename(f"{path}.old")


async def has_its_limits(pod: CasePod, container: str) -> None:
    told = (await pod.status(container)).resources.linux
    assert (told.memory_limit_in_bytes, told.cpu_shares, told.oom_score_adj) == (96 * MIB, 300, 300)
    files = await cgroup_of(pod, container)
    assert int(files.read("memory", "memory.limit_in_bytes", "memory.max")) == 96 * MIB
    assert Path(f"/proc/{files.pid}/oom_score_adj").read_text().strip() == "300"


async def can_go_on(pod: CasePod, container: str) -> None:
    await unpause(pod, container)
    assert (await pod.exec(container, "true")).exit_code == 0


async def lost_no_line(pod: CasePod, container: str) -> None:
    status = await pod.status(container)
    parts = [Path(f"{status.log_path}.old"), Path(status.log_path)]

    async def writes() -> bool:
        return parts[1].stat().st_size > 0

    await eventually(writes, "the new log is written")
    numbers = [int(line.rpartition(" ")[2]) for part in parts for line in part.read_text().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("prepare", "request_", "check"),
    [
        pytest.param(nothing, update, has_its_limits, id="UpdateContainerResources"),
        pytest.param(nothing, pause, can_go_on, id="PauseContainer"),
        pytest.param(rotate, reopen, lost_no_line, id="ReopenContainerLog"),
    ],
)
async def test_killed_in_the_middle(node: Node, prepare: Act, request_: Act, check: Act) -> None:
    pod = await node.pod()
    for number, delay_ms in enumerate(DELAYS_MS):
        container = await pod.run(TICKS, name=f"c{number}")
        await ticking(pod, container)
        await prepare(pod, container)
        asked = asyncio.ensure_future(request_(pod, container))
        await asyncio.sleep(delay_ms * random.uniform(0.7, 1.3) / 1e3)
        node.server.kill9()
        await asyncio.gather(asked, return_exceptions=True)
        assert asked.exception() is None or isinstance(asked.exception(), PodwrightError)
        await node.again()
        await node.audited()
        assert (await pod.status(container)).state == api.CONTAINER_RUNNING
        await request_(pod, container)
        await check(pod, container)
        await pod.stop(container, timeout=5)
        assert (await pod.status(container)).exit_code == 7
    await node.emptied()
