"""SIGTERM: the daemon ends within seconds whatever is under way, and leaves nothing half-made behind."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any

import pytest

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError
from tests.faults.faulty import HANDLER, FaultyRuntime
from tests.faults.node import Node, eventually
from tests.fixtures import FreshPodwright

pytestmark = [pytest.mark.root]


async def _stop(node: Node) -> None:
    """SIGTERM, and the exit code 0: the harness kills after ten seconds, service managers after 90."""
    assert await asyncio.to_thread(node.server.stop) == 0


async def test_requests_that_would_never_end(node: Node) -> None:
    """A command without a deadline, a container with ten minutes to stop, a registry that has gone silent."""
    pod = await node.pod()
    container = await pod.run()
    deaf = await pod.run(("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"), name="deaf")
    status = await pod.status(deaf)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, nobody answers
        image = api.ImageSpec(image=f"127.0.0.1:{silent.getsockname()[1]}/never:1")
        asked: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(pod.exec(container, "sh", "-c", "sleep 6543 & sleep 6543", timeout=0)),
            asyncio.ensure_future(node.cri.call(node.cri.images.PullImage, api.PullImageRequest(image=image))),
        ]

        async def runs() -> bool:
            return b"6543" in (await pod.exec(container, "ps")).stdout and bool(pod.text(deaf, status))

        await eventually(runs, "the endless commands run")
        asked.append(asyncio.ensure_future(pod.stop(deaf, timeout=600)))
        await asyncio.sleep(0.2)
        await _stop(node)
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(answer, PodwrightError)
    await node.again()
    assert b"6543" not in (await pod.exec(container, "ps")).stdout
    assert (await pod.status(deaf)).state == api.CONTAINER_RUNNING
    await node.audited()
    await node.emptied()


@pytest.mark.parametrize("verb", ["create", "start"])
async def test_a_runtime_that_hangs(hasty_node: Node, faulty: FaultyRuntime, verb: str) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.create()
    faulty.commit(f"hang {verb}")
    asked = asyncio.ensure_future(pod.start(container))
    await faulty.hangs(verb)
    await _stop(hasty_node)
    with pytest.raises(PodwrightError):
        await asked
    faulty.behave()
    await hasty_node.again()
    await hasty_node.audited()
    await hasty_node.emptied()


async def test_many_requests_at_once(node: Node) -> None:
    await node.pull()
    configs = [node.config() for _ in range(8)]
    asked = [asyncio.ensure_future(node.sandbox(config)) for config in configs]
    await asyncio.sleep(0.01)
    await _stop(node)
    await asyncio.gather(*asked, return_exceptions=True)
    await node.again()
    await node.audited()
    node.pods = []
    for config in configs:
        await node.sandbox(config)
    await node.emptied()


def test_told_twice(fresh_podwright: FreshPodwright) -> None:
    server = fresh_podwright()
    process = server.process
    process.signal(signal.SIGTERM)
    process.signal(signal.SIGTERM)
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()
    server.start()


def test_interrupted_as_by_ctrl_c(fresh_podwright: FreshPodwright) -> None:
    server = fresh_podwright()
    server.process.signal(signal.SIGINT)
    assert server.stop() == 0
    assert not server.socket.exists()
    server.start()
