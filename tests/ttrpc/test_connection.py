"""A client and a server on a real unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.errors import DeadlineExceeded, NotFound, Unavailable, Unimplemented
from podwright.ttrpc import Server, TtrpcClient, connect
from podwright.ttrpc.sessions import ClientSession, TtrpcRequest

SERVICE = "test.Service"
PATIENCE_S = patient(60.0)


async def echo(payload: bytes, metadata: Mapping[str, str]) -> bytes:
    return payload + metadata.get("suffix", "").encode()


async def fail(payload: bytes, metadata: Mapping[str, str]) -> bytes:
    raise NotFound("no such thing")


async def hang(payload: bytes, metadata: Mapping[str, str]) -> bytes:
    await asyncio.Event().wait()
    return b""


METHODS = {(SERVICE, "Echo"): echo, (SERVICE, "Fail"): fail, (SERVICE, "Hang"): hang}


@pytest_asyncio.fixture
async def path(tmp_path: Path) -> AsyncIterator[str]:
    server = Server(METHODS)
    await server.listen(f"{tmp_path}/s")
    yield f"{tmp_path}/s"
    await server.close()


@pytest_asyncio.fixture
async def client(path: str) -> AsyncIterator[TtrpcClient]:
    made = await connect(path, timeout_s=PATIENCE_S)
    yield made
    made.close()


async def test_calls_side_by_side(client: TtrpcClient) -> None:
    answers = await asyncio.gather(
        *(client.call(SERVICE, "Echo", b"%d" % number, timeout_s=PATIENCE_S) for number in range(200))
    )
    assert answers == [b"%d" % number for number in range(200)]


async def test_metadata_and_failures_arrive(client: TtrpcClient) -> None:
    metadata = {"suffix": "!"}
    assert await client.call(SERVICE, "Echo", b"hi", timeout_s=PATIENCE_S, metadata=metadata) == b"hi!"
    with pytest.raises(NotFound, match="no such thing"):
        await client.call(SERVICE, "Fail", b"", timeout_s=PATIENCE_S)
    with pytest.raises(Unimplemented):
        await client.call(SERVICE, "Other", b"", timeout_s=PATIENCE_S)


async def test_a_call_ends_at_its_deadline_and_others_continue(client: TtrpcClient) -> None:
    with pytest.raises(DeadlineExceeded):
        await client.call(SERVICE, "Hang", b"", timeout_s=0.05)
    assert await client.call(SERVICE, "Echo", b"still here", timeout_s=PATIENCE_S) == b"still here"


async def test_calls_fail_when_the_connection_ends(client: TtrpcClient) -> None:
    waiting = asyncio.create_task(client.call(SERVICE, "Hang", b"", timeout_s=None))
    await asyncio.sleep(0)
    client.close()
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        await client.call(SERVICE, "Echo", b"", timeout_s=PATIENCE_S)


async def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        await connect(f"{tmp_path}/nothing", timeout_s=PATIENCE_S)


async def test_a_server_that_speaks_nonsense(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(talk, f"{tmp_path}/s"):
        client = await connect(f"{tmp_path}/s", timeout_s=PATIENCE_S)
        with pytest.raises(DeadlineExceeded):
            await client.call(SERVICE, "Echo", b"", timeout_s=0.1)
        client.close()


async def test_a_peer_that_floods_waits_and_loses_nothing(path: str) -> None:
    """It sends far more calls than are answered at once, and reads the answers only afterwards."""
    session = ClientSession()
    flood = b"".join(
        session.call(TtrpcRequest(stream=session.new_stream(), service=SERVICE, method="Echo", payload=bytes(1000)))
        for _ in range(5000)
    )
    with socket.socket(socket.AF_UNIX) as peer:
        peer.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(peer, path)
        sending = asyncio.create_task(loop.sock_sendall(peer, flood))
        answers = 0
        async with asyncio.timeout(PATIENCE_S):
            while answers < 5000:
                answers += len(session.receive(await loop.sock_recv(peer, 65536)))
            await sending
