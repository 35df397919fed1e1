"""Connections that are kept for the next request, and answers in all of HTTP's forms."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from podwright.errors import FailedPrecondition
from podwright.k8s.client import pool
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.endpoint import Endpoint, Identity
from podwright.k8s.client.failures import Garbled, Unreachable
from podwright.k8s.client.transport import Transport
from podwright.k8s.objects import ConfigMap, Node, ObjectMeta
from tests.harness.apiserver.faults import Ailment, Fault
from tests.harness.sockets import connections_to
from tests.k8s.client.connected import FixedCredentials, bearer, connected

BODY = b'{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[]}'
NOBODY = Identity()
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


async def test_calls_one_after_the_other_share_a_connection() -> None:
    async with connected() as (server, api):
        for _ in range(3):
            await api.list(Node)
        assert connections_to(server.port) == 1


async def test_calls_at_once_have_a_connection_each_and_what_is_idle_for_long_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with connected() as (server, api):
        server.faults.add(Fault(ailment=Ailment.SLOW, delay_s=0.2, times=3))
        await asyncio.gather(*(api.list(Node) for _ in range(3)))
        assert connections_to(server.port) == 3
        monkeypatch.setattr(pool, "IDLE_S", 0.0)
        await api.list(Node)
        assert connections_to(server.port) == 1


async def test_a_kept_connection_that_the_server_closes_costs_no_call() -> None:
    async with connected() as (server, api):
        await api.list(Node)
        fault = server.faults.add(Fault(ailment=Ailment.RESET))
        await api.list(Node)
        assert fault.times == 0


async def test_what_may_have_happened_is_not_sent_again() -> None:
    async with connected() as (server, api):
        await api.list(Node)
        server.faults.add(Fault(ailment=Ailment.RESET))
        with pytest.raises(Unreachable):
            await api.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="default")))


async def test_a_server_that_comes_back_is_reached_although_connections_were_kept() -> None:
    async with connected() as (server, api):
        await api.list(Node)
        await server.stop()
        await server.start()
        await api.list(Node)


@contextlib.asynccontextmanager
async def answering(answer: bytes, identity: Identity = NOBODY) -> AsyncIterator[ApiClient]:
    """A client of a server that answers every request with these bytes and closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with client_of_server(serve, identity) as api:
        yield api


@contextlib.asynccontextmanager
async def client_of_server(serve: Serve, identity: Identity = NOBODY) -> AsyncIterator[ApiClient]:
    """A client of a server that serves each connection so."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        transport = Transport(Endpoint(url=url), FixedCredentials(identity))
        yield ApiClient(transport)
        await transport.close()


ANSWERS = {
    "with a length": HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "in chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    "until the end": HEAD.replace(b"1.1", b"1.0") + b"\r\n" + BODY,
    "after another head": b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD + b"\r\n" + BODY,
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_an_answer_in_any_form(case: str) -> None:
    async with answering(ANSWERS[case]) as api:
        for _ in range(2):
            assert (await api.list(Node)).resource_version == "7"


BROKEN = {
    "nothing": (b"", Unreachable, "closed the connection"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Garbled, "illegal"),
    "half a head": (HEAD, Unreachable, "cut off"),
    "half a body": (HEAD + b"Content-Length: 100\r\n\r\n{", Unreachable, "cut off"),
    "an endless head": (HEAD + b"A: " + b"b" * 200_000, Garbled, "long"),
    "another protocol": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", Garbled, "UPGRADE"),
    "a redirect": (b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", Garbled, "HTTP 302"),
    "compressed": (HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(BODY), Garbled, "not JSON"),
    "of another kind": (HEAD + b"\r\n{}", Garbled, "of kind '', not NodeList"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_answer_says_how_it_is_broken(case: str) -> None:
    answer, failure, words = BROKEN[case]
    async with answering(answer) as api:
        with pytest.raises(failure, match=f"cannot list nodes: .*{words}"):
            await api.list(Node)


LATER = {
    "another answer": HEAD + b"Content-Length: 2\r\n\r\n{}",
    "408": b"HTTP/1.0 408 Request Time-out\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("delay_s", [0.0, 0.05], ids=["at once", "later"])
@pytest.mark.parametrize("case", LATER)
async def test_what_comes_before_a_request_is_not_its_answer(case: str, delay_s: float) -> None:
    """A proxy says 408 on an idle connection before it closes that."""
    said = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWERS["with a length"])
            await asyncio.sleep(delay_s)
            writer.write(LATER[case])
            await writer.drain()
            said.set()
            await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with client_of_server(serve) as api:
        for _ in range(2):
            assert (await api.list(Node)).resource_version == "7"
            await said.wait()
            await asyncio.sleep(0)


async def test_a_token_that_no_header_can_carry_is_a_clear_error() -> None:
    for token in ("two\nlines", "a euro: \u20ac"):
        async with answering(b"", bearer(token)) as api:
            with pytest.raises(FailedPrecondition, match="this cannot be sent") as caught:
                await api.list(Node)
            assert token[:3] not in str(caught.value).partition("cannot be sent")[2]
