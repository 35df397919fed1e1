"""The streaming server before a stream: clients that dawdle, guess, ask for nonsense or come by the thousand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.conformance.pods import CasePod, serving
from podwright.conformance.streams import Speech, exec_url, forward_url, session, streamed_exec
from podwright.errors import NotFound, ResourceExhausted
from podwright.streams.client.port_forward import forwarding
from tests.faults.node import Node, running_node
from tests.faults.vitals import MIB, recovered, resident_bytes, vitals
from tests.fixtures import FreshPodwright

pytestmark = [pytest.mark.root]

WAIT_S = patient(60.0)
CONNECTIONS = 20
CROWD = 2000
PENDING = 1000
UPGRADE = "Host: node\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
NONSENSE = {
    "a header without end": ("GET / HTTP/1.1\r\nX: " + "x" * 100_000, 400),
    "endless headers": ("GET / HTTP/1.1\r\n" + "a: b\r\n" * 100_000, 400),
    "a guess": (f"GET /exec/AAAAAAAA HTTP/1.1\r\n{UPGRADE}\r\n", 404),
    "a path": (f"GET /exec/../../etc/passwd HTTP/1.1\r\n{UPGRADE}\r\n", 404),
    "a proxy's request": (f"GET http://elsewhere/ HTTP/1.1\r\n{UPGRADE}\r\n", 404),
    "another method": (f"DELETE {{path}} HTTP/1.1\r\n{UPGRADE}\r\n", 405),
    "no upgrade": ("GET {path} HTTP/1.1\r\nHost: node\r\n\r\n", 400),
    "another upgrade": ("GET {path} HTTP/1.1\r\nHost: n\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 400),
    "a body": (f"POST {{path}} HTTP/1.1\r\n{UPGRADE}Content-Length: 3\r\n\r\nabc", 400),
    "HTTP/2": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405),
    "zeros": ("\0\0\0\0" * 10_000, 400),
}


@pytest_asyncio.fixture
async def small_node(fresh_podwright: FreshPodwright, busybox_image: str) -> AsyncIterator[Node]:
    """A daemon that takes few streaming connections."""
    settings = {"streaming": {"max_connections": CONNECTIONS}, "log_level": "info"}
    async with running_node(fresh_podwright(settings), busybox_image) as node:
        yield node
        assert "Traceback" not in node.server.log.read_text()


def place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


async def raw(url: str, said: bytes) -> bytes:
    """All that the server answers to these bytes."""
    reader, writer = await asyncio.open_connection(*place(url))
    try:
        async with asyncio.timeout(WAIT_S):
            with contextlib.suppress(ConnectionError):  # it may close before it has read everything
                writer.write(said)
                await writer.drain()
            with contextlib.suppress(ConnectionError):
                return await reader.read()
    finally:
        writer.close()
    return b""


async def drip(url: str, said: bytes, every_s: float) -> int:
    """Say it byte by byte; how many bytes the server has waited for."""
    reader, writer = await asyncio.open_connection(*place(url))
    ended = asyncio.create_task(reader.read())
    sent = 0
    async with asyncio.timeout(WAIT_S):
        while not ended.done():
            with contextlib.suppress(ConnectionError):
                writer.write(said[sent % len(said) :][:1])
                await writer.drain()
            sent += 1
            await asyncio.wait({ended}, timeout=every_s)
    ended.exception()
    writer.close()
    return sent


async def test_clients_that_dawdle_are_sent_away(small_node: Node) -> None:
    """All at once, since each of them gets its ten seconds."""
    pod = await small_node.pod()
    container = await pod.run()
    url = await exec_url(pod, container, "true")
    path = urlsplit(url).path
    before = vitals(small_node)
    await asyncio.gather(
        raw(url, b""),  # connects and says nothing
        raw(url, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),  # TLS, that waits for an answer
        raw(url, f"GET {path} HTTP/1.1\r\nHost: n".encode()),  # half of a request
        drip(url, f"GET {path} HTTP/1.1\r\nHost: node\r\n".encode(), 0.3),
        drip(url, b"GET / HTTP/1.1\r\n" + b"X-Padding: y\r\n" * 1000, 0.01),
    )
    assert (await session(url, Speech())).outcome.exit_code == 0  # nobody used the token
    await recovered(small_node, before)
    await small_node.emptied()


async def test_nonsense_gets_an_answer(small_node: Node) -> None:
    pod = await small_node.pod()
    container = await pod.run()
    before = vitals(small_node)
    for what, (said, status) in NONSENSE.items():
        url = await exec_url(pod, container, "true")
        answer = await raw(url, said.replace("{path}", urlsplit(url).path).encode())
        # Who is still sending when the answer comes may see a reset instead.
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()) or (not answer and len(said) > 1000), what
    await recovered(small_node, before)
    await small_node.emptied()


async def test_a_token_is_good_for_one_client_and_one_kind(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run()
    url = await exec_url(pod, container, "sleep", "0.2")
    outcomes = await asyncio.gather(*(session(url, Speech()) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, NotFound) for outcome in outcomes) == 19
    forwarding_url = (await exec_url(pod, container, "true")).replace("/exec/", "/portforward/")
    with pytest.raises(NotFound):
        async with forwarding(forwarding_url):
            pass
    with pytest.raises(NotFound):  # it is used up all the same
        await session(forwarding_url.replace("/portforward/", "/exec/"), Speech())
    await node.emptied()


async def test_urls_that_nobody_uses_are_bounded(node: Node) -> None:
    pod = await node.pod()
    urls = {await forward_url(pod) for _ in range(PENDING)}
    assert len(urls) == PENDING
    with pytest.raises(ResourceExhausted):
        await forward_url(pod)
    async with forwarding(urls.pop()):
        assert await forward_url(pod)
    await node.emptied()


async def test_a_crowd_of_connections(small_node: Node) -> None:
    """Those over the bound are closed at once; the others are served, and after them whoever comes."""
    pod = await small_node.pod()
    container = await pod.run()
    url = await exec_url(pod, container, "true")
    before, memory_before = vitals(small_node), resident_bytes(small_node.server)
    crowd = []
    try:
        for _ in range(CROWD):
            each = socket.create_connection(place(url))
            each.setblocking(False)
            crowd.append(each)
        await asyncio.to_thread(_all_but_some_closed, crowd)
        assert resident_bytes(small_node.server) < memory_before + 32 * MIB
    finally:
        for each in crowd:
            each.close()
    await recovered(small_node, before)
    assert (await streamed_exec(pod, container, "true", speech=Speech())).outcome.exit_code == 0
    assert small_node.server.log.read_text().count("streaming server rejects connections") < CROWD / 10
    await small_node.emptied()


def _all_but_some_closed(crowd: list[socket.socket]) -> None:
    """Wait until no more than the bound are still open."""
    for each in crowd[CONNECTIONS:]:
        each.setblocking(True)
        each.settimeout(WAIT_S)
        with contextlib.suppress(ConnectionError):
            assert each.recv(1) == b""


async def test_the_server_is_usable_by_pods_of_others_meanwhile(small_node: Node) -> None:
    """Connections up to the bound, all of them with a session."""
    pod = await small_node.pod()
    container = await pod.run()
    done = await asyncio.gather(
        *(streamed_exec(pod, container, "sh", "-c", f"exit {code}", speech=Speech()) for code in range(CONNECTIONS))
    )
    assert [each.outcome.exit_code for each in done] == list(range(CONNECTIONS))
    await small_node.emptied()


async def test_an_idle_connection_is_closed(fresh_podwright: FreshPodwright, busybox_image: str) -> None:
    settings = {"streaming": {"idle_timeout_s": 0.5, "creation_timeout_s": 0.5}}
    async with running_node(fresh_podwright(settings), busybox_image) as node:
        pod: CasePod = await node.pod()
        await pod.run_ready(serving({7: "cat"}))
        before = vitals(node)
        for _ in range(3):
            async with forwarding(await forward_url(pod)) as forwarder, asyncio.timeout(WAIT_S):
                await forwarder.ended.wait()
            url = await exec_url(pod, pod.containers[0], "true")
            opened = f"POST {urlsplit(url).path} HTTP/1.1\r\n{UPGRADE}\r\n".encode()
            assert (await raw(url, opened)).startswith(b"HTTP/1.1 101")  # and no stream is ever opened
        await recovered(node, before)
        await node.emptied()
