"""TLS on real sockets, each version: bytes, ends of one direction, and peers that go without a word."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.runtime.streaming import certificate
from podwright.streams.tls_wire import TlsWire
from podwright.streams.wire import Wire

WAIT_S = patient(60.0)
BULK = hashlib.shake_256(b"bulk").digest(3_000_000)
VERSIONS = [
    pytest.param(ssl.TLSVersion.TLSv1_2, id="1.2"),
    pytest.param(ssl.TLSVersion.TLSv1_3, id="1.3"),
]


@dataclass(frozen=True)
class Contexts:
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(params=VERSIONS)
def contexts(request: pytest.FixtureRequest, tmp_path: Path) -> Contexts:
    file = tmp_path / "both.pem"
    file.write_bytes(certificate.make(("127.0.0.1",)))
    made = Contexts(
        server=ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), client=ssl.create_default_context(cafile=str(file))
    )
    made.server.load_cert_chain(file)
    made.server.num_tickets = 0  # a client that closes before it has read them resets the connection
    made.server.minimum_version = made.server.maximum_version = request.param
    return made


@contextlib.asynccontextmanager
async def ends(contexts: Contexts, *, hostname: str = "127.0.0.1") -> AsyncIterator[tuple[TlsWire, TlsWire]]:
    """A client's and a server's, before their handshake."""
    sockets = socket.socketpair()
    for each in sockets:
        each.setblocking(False)
    client = TlsWire(sockets[0], contexts.client, server_hostname=hostname)
    server = TlsWire(sockets[1], contexts.server)
    try:
        async with asyncio.timeout(WAIT_S):
            yield client, server
    finally:
        await client.close()
        await server.close()


@contextlib.asynccontextmanager
async def shaken(contexts: Contexts) -> AsyncIterator[tuple[TlsWire, TlsWire]]:
    async with ends(contexts) as (client, server):
        await asyncio.gather(client.handshake(), server.handshake())
        yield client, server


async def received(wire: Wire, count: int) -> bytes:
    whole = bytearray()
    while len(whole) < count and (data := await wire.receive()):
        whole += data
    return bytes(whole)


async def test_bulk_in_both_directions_at_once(contexts: Contexts) -> None:
    async with shaken(contexts) as (client, server):
        sending = [
            asyncio.create_task(wire.send(BULK[:8], memoryview(BULK)[8:70_000], BULK[70_000:]))
            for wire in (client, server)
        ]
        assert await asyncio.gather(*(received(wire, len(BULK)) for wire in (server, client))) == [BULK, BULK]
        await asyncio.gather(*sending)


async def test_parts_of_several_senders_do_not_mix(contexts: Contexts) -> None:
    async with shaken(contexts) as (client, server):
        frames = [bytes([number]) * 100_000 for number in range(10)]
        sending = [asyncio.create_task(client.send(frame[:9], frame[9:])) for frame in frames]
        assert await received(server, 1_000_000) == b"".join(frames)
        await asyncio.gather(*sending)


async def test_who_has_finished_still_hears_the_answer(contexts: Contexts) -> None:
    async with shaken(contexts) as (client, server):
        await client.send(b"question")
        await client.finish()
        assert await received(server, 100) == b"question"
        assert await server.receive() == b""
        answering = asyncio.create_task(server.send(BULK))
        assert await received(client, len(BULK)) == BULK
        await answering
        await server.finish()
        assert await client.receive() == b""
        assert await server.receive() == b""


async def test_what_came_before_we_finished_is_still_there(contexts: Contexts) -> None:
    async with shaken(contexts) as (client, server):
        await server.send(b"crosses ")
        assert await received(client, 4) == b"crosses "
        await server.send(b"the end")
        await client.finish()
        assert await received(client, 7) == b"the end"
        with pytest.raises(OSError, match="shutdown"):
            await client.send(b"after the end")


async def test_a_connection_that_ends_without_a_goodbye_has_ended(contexts: Contexts) -> None:
    async with shaken(contexts) as (client, server):
        await client.send(b"last words")
        await client.close()
        assert await received(server, 100) == b"last words"
        assert await server.receive() == b""


async def test_what_is_pushed_back_comes_first(contexts: Contexts) -> None:
    async with shaken(contexts) as (client, server):
        await client.send(b"three")
        server.push_back(b"two")
        server.push_back(b"one")
        assert await received(server, 11) == b"onetwothree"


async def test_a_certificate_for_another_name_is_told_to_both(contexts: Contexts) -> None:
    async with ends(contexts, hostname="example.com") as (client, server):
        results = await asyncio.gather(client.handshake(), shake_and_receive(server), return_exceptions=True)
        assert isinstance(results[0], ssl.SSLCertVerificationError)
        assert isinstance(results[1], ssl.SSLError)
        assert "alert" in str(results[1]).lower()


async def shake_and_receive(wire: TlsWire) -> None:
    """In TLS 1.3, a server is done before the client has judged it."""
    await wire.handshake()
    await wire.receive()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_no_tls_at_all_is_an_error(contexts: Contexts, said: bytes) -> None:
    async with ends(contexts) as (client, server):
        await client._wire.send(said)
        await client._wire.finish()
        with pytest.raises(ssl.SSLError):
            await server.handshake()
