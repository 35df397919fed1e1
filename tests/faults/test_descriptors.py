"""The daemon holds no more descriptors and threads after many requests than before them."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from podwright.conformance.pods import CasePod
from podwright.conformance.streams import Given, Speech, attach_url, forward_url, session, streamed_exec
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded
from podwright.streams.client.dial import StreamTransport
from tests.faults.node import Node, eventually

pytestmark = [pytest.mark.root]

ROUNDS = 3


def _open(node: Node) -> list[str]:
    """What the daemon has open, by kind."""
    folder = Path(f"/proc/{node.server.process.pid}/fd")
    kinds = []
    for entry in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            kinds.append(str(entry.readlink()).partition(":")[0])
    return sorted(kinds)


async def _round(node: Node, pod: CasePod, container: str) -> None:
    """One of each kind of request that opens something."""
    cri, runtime = node.cri, node.cri.runtime
    await pod.exec(container, "true")
    with pytest.raises(DeadlineExceeded):
        await pod.exec(container, "sh", "-c", "sleep 100 & sleep 100", timeout=1)
    for transport in StreamTransport:
        for tty in (False, True):
            done = await streamed_exec(
                pod, container, "cat", speech=Speech(transport=transport), stdin=Given(b"x\n\x04"), tty=tty
            )
            assert done.outcome.exit_code == 0
    talk = asyncio.create_task(session(await attach_url(pod, container), Speech()))
    await forward_url(pod)  # nobody comes for it
    await cri.call(runtime.ListContainerStats, api.ListContainerStatsRequest())
    await cri.call(runtime.ListPodSandboxStats, api.ListPodSandboxStatsRequest())
    await cri.call(runtime.ListPodSandboxMetrics, api.ListPodSandboxMetricsRequest())
    async for _ in cri.stream(runtime.StreamContainers, api.StreamContainersRequest()):
        pass
    events = cri.stream(runtime.GetContainerEvents, api.GetEventsRequest())
    heard = asyncio.ensure_future(anext(events))
    short = await pod.run(("true",), name=f"short{len(pod.containers)}")
    await heard
    await events.aclose()  # type: ignore[attr-defined] # a generator
    path = Path((await pod.status(container)).log_path)
    path.rename(path.with_name("old"))
    await cri.call(runtime.ReopenContainerLog, api.ReopenContainerLogRequest(container_id=container))
    await cri.call(runtime.RemoveContainer, api.RemoveContainerRequest(container_id=short))
    talk.cancel()
    await asyncio.wait([talk])


async def test_requests_leave_nothing_open(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run(stdin=True)
    await _round(node, pod, container)  # what is opened once, on first use
    await asyncio.sleep(0.5)
    before = _open(node)
    for _ in range(ROUNDS):
        await _round(node, pod, container)

    async def closed() -> bool:
        return len(_open(node)) <= len(before)

    try:
        await eventually(closed, "as much is open as before")
    except AssertionError:
        assert _open(node) == before  # tells what it is
    await node.emptied()
