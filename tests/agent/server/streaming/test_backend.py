"""What the runtime's streaming server is asked, and how its answers reach the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from podwright.agent.server.http.messages import HttpResponse, Takeover
from podwright.agent.server.streaming import backend
from podwright.agent.server.streaming.translation import is_translated
from podwright.conformance.patience import patient
from podwright.errors import Unavailable
from podwright.streams import upgrade

SPDY_HEADERS = (
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "SPDY/3.1"),
    ("x-stream-protocol-version", "v4.channel.k8s.io"),
    ("x-stream-protocol-version", "channel.k8s.io"),
    ("authorization", "Bearer secret"),
    ("cookie", "secret"),
    ("content-length", "0"),
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"


class Runtime:
    """A streaming server that answers one thing."""

    def __init__(self) -> None:
        self.answer = b""
        self.heads: list[bytes] = []
        self.port = 0
        self.closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        await reader.read()
        self.closed.set()
        writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/exec/token?x=1"


@pytest_asyncio.fixture
async def runtime() -> AsyncIterator[Runtime]:
    made = Runtime()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await server.wait_closed()


def head(*headers: tuple[str, str], method: str = "POST") -> upgrade.UpgradeRequest:
    return upgrade.UpgradeRequest(method=method, target="/exec/default/web/main?command=x", headers=headers)


async def test_the_upgrade_is_asked_for_without_credentials(runtime: Runtime) -> None:
    runtime.answer = SWITCH + b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
    answer = await backend.forward(runtime.url, head(*SPDY_HEADERS), idle_timeout_s=10)
    assert isinstance(answer, Takeover)
    assert dict(answer.headers)["x-stream-protocol-version"] == "v4.channel.k8s.io"
    (asked,) = runtime.heads
    assert asked.startswith(b"POST /exec/token?x=1 HTTP/1.1\r\n")
    lines = asked.lower().splitlines()
    assert lines.count(b"x-stream-protocol-version: channel.k8s.io") == 1
    assert b"upgrade: spdy/3.1" in lines
    assert b"secret" not in asked
    await answer.abandon()
    async with asyncio.timeout(patient(60)):
        await runtime.closed.wait()


async def test_a_token_among_websocket_protocols_stays_here(runtime: Runtime) -> None:
    runtime.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    token = "base64url.bearer.authorization.k8s.io.c2VjcmV0"
    asked = head(
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", "a" * 24),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", f"{token}, v4.channel.k8s.io"),
        method="GET",
    )
    answer = await backend.forward(runtime.url, asked, idle_timeout_s=10)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body) == (403, b"no")
    assert b"sec-websocket-protocol: v4.channel.k8s.io\r\n" in runtime.heads[0].lower()
    assert b"bearer" not in runtime.heads[0]


async def test_refusals_of_the_runtime_are_the_client_s(runtime: Runtime) -> None:
    runtime.answer = b"HTTP/1.1 429 Too Many\r\nRetry-After: 60\r\nContent-Length: 5\r\n\r\nlater"
    answer = await backend.forward(runtime.url, head(*SPDY_HEADERS), idle_timeout_s=10)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body, answer.headers) == (429, b"later", (("retry-after", "60"),))
    tunnel = head(
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", "a" * 24),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "SPDY/3.1+portforward.k8s.io"),
        method="GET",
    )
    refused = await backend.forward_tunnel(runtime.url, tunnel, idle_timeout_s=10)
    assert isinstance(refused, HttpResponse)
    assert refused.status == 429
    assert b"X-Stream-Protocol-Version: portforward.k8s.io".lower() in runtime.heads[1].lower()


async def test_a_runtime_that_is_away(runtime: Runtime) -> None:
    with pytest.raises(Unavailable):
        await backend.forward("http://127.0.0.1:1/x", head(*SPDY_HEADERS), idle_timeout_s=10)


@pytest.mark.parametrize(
    ("protocols", "wanted"),
    [("v5.channel.k8s.io", True), ("v4.channel.k8s.io, v5.channel.k8s.io", True), ("v4.channel.k8s.io", False)],
)
def test_what_is_translated(protocols: str, wanted: bool) -> None:
    asked = head(("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-protocol", protocols))
    assert is_translated(asked) is wanted
    assert not is_translated(head(*SPDY_HEADERS))
