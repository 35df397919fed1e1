"""Pods from a URL: what is read, and what a bad answer does not do."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from aiohttp import web

from podwright.agent.sources.http import ANSWER_LIMIT_BYTES, HttpSource
from podwright.k8s.objects import Pod
from tests.agent.sources.test_file import manifest, until

Answer = Callable[[], web.Response]


class Server:
    """Answers what `answer` says, and remembers the requests' headers."""

    def __init__(self) -> None:
        self.answer: Answer = lambda: web.Response(body=manifest("a"))
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        return self.answer()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_get("/pods", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/pods"
    yield made
    await runner.cleanup()


def source(server: Server) -> HttpSource:
    return HttpSource(server.url, {"X-Token": ("one", "two")}, "Node1", period_s=0.05)


def listing(*pods: bytes) -> bytes:
    return json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [json.loads(pod) for pod in pods]}).encode()


async def test_a_pod_and_a_list_of_pods(server: Server) -> None:
    sets = source(server).sets()
    (pod,) = await until(sets, ["a-node1"])
    assert pod.spec.tolerations == ()
    assert server.headers[0]["X-Token"] in ("one", "two")
    server.answer = lambda: web.Response(body=listing(manifest("b"), manifest("c")))
    await until(sets, ["b-node1", "c-node1"])


async def no_set(sets: AsyncIterator[list[Pod]], while_s: float = 0.3) -> None:
    waiting: Awaitable[list[Pod]] = anext(sets)
    task = asyncio.ensure_future(waiting)
    done, _ = await asyncio.wait({task}, timeout=while_s)
    assert not done
    task.cancel()
    await asyncio.wait({task})


BAD: dict[str, Answer] = {
    "the same": lambda: web.Response(body=manifest("a")),
    "an error": lambda: web.Response(status=500),
    "nothing": lambda: web.Response(body=b""),
    "garbage": lambda: web.Response(body=b"{{{{"),
    "too much": lambda: web.Response(body=b" " * (ANSWER_LIMIT_BYTES + 1)),
    "a pod that is wrong": lambda: web.Response(body=manifest("a", restartPolicy="Sometimes")),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
async def test_an_answer_that_changes_nothing(server: Server, answer: Answer) -> None:
    sets = source(server).sets()
    await until(sets, ["a-node1"])
    server.answer = answer
    await no_set(sets)


async def test_a_server_that_comes_later(unused_tcp_port: int) -> None:
    sets = HttpSource(f"http://127.0.0.1:{unused_tcp_port}/pods", {}, "node1", period_s=0.05).sets()
    await no_set(sets)


async def test_a_bad_answer_is_taken_apart_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    sets = source(server).sets()
    await until(sets, ["a-node1"])
    server.answer = BAD["garbage"]
    await no_set(sets)
    assert len([record for record in caplog.records if "cannot read pods" in record.message]) == 1


async def test_an_answer_is_not_expanded(server: Server) -> None:
    """A few KiB of zeros could fill the memory."""

    def bomb() -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    packed = gzip.compress(bytes(64 << 20))
    sets = source(server).sets()
    await until(sets, ["a-node1"])
    server.answer = bomb
    tracemalloc.start()
    try:
        await no_set(sets, while_s=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    assert server.headers[-1]["Accept-Encoding"] == "identity"
