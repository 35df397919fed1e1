"""Connections over time: new certificates mean new connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
import pytest

from podwright.errors import PodwrightError
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.endpoint import Identity, KeyPair
from podwright.k8s.client.failures import Renewed, Unreachable
from podwright.k8s.client.protocol import Watching
from podwright.k8s.client.transport import Transport
from podwright.k8s.objects import Node
from tests.harness.apiserver.faults import Ailment, Fault
from tests.harness.apiserver.server import ADMIN, ApiServer, running
from tests.harness.sockets import connections_to, none_to
from tests.k8s.client.connected import endpoint


class Changing:
    """Credentials that a test changes."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self.renew()

    def renew(self) -> None:
        issued = self._server.authority.issue(ADMIN)
        self.now = Identity(key_pair=KeyPair(certificate=issued.certificate, key=issued.key))

    async def identity(self) -> Identity:
        return self.now

    def refused(self, identity: Identity) -> bool:
        return False


async def test_a_new_certificate_takes_new_connections_and_cuts_watches() -> None:
    async with running() as server:
        credentials = Changing(server)
        transport = Transport(endpoint(server), credentials)
        api = ApiClient(transport)
        async with api.watch(Node, watching=Watching(initial_events=True)) as changes:
            await anext(changes)
            slow = asyncio.create_task(api.list(Node))
            server.faults.add(Fault(ailment=Ailment.SLOW, delay_s=0.3))
            await asyncio.sleep(0.1)
            credentials.renew()
            await api.list(Node)
            with pytest.raises(Renewed):
                await anext(changes)
            assert (await slow).items == ()
        assert connections_to(server.port) == 1
        await transport.close()
        assert connections_to(server.port) == 0


@contextlib.asynccontextmanager
async def tunnelling(asked: list[str]) -> AsyncIterator[str]:
    """An HTTP proxy that only knows CONNECT; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode()
        asked.append(line)
        host, _, port = line.split()[1].rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def test_a_proxy_of_the_kubeconfig_is_used() -> None:
    asked: list[str] = []
    async with running() as server, tunnelling(asked) as proxy:
        where = msgspec.structs.replace(endpoint(server), proxy_url=proxy)
        transport = Transport(where, Changing(server))
        api = ApiClient(transport)
        await api.list(Node)
        async with api.watch(Node, watching=Watching(initial_events=True)) as changes:
            assert (await anext(changes)).initial_end
        await transport.close()
    assert asked[0].startswith(f"CONNECT 127.0.0.1:{server.port} ")


async def test_a_proxy_of_the_environment_is_not_used_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    async with running() as server:
        transport = Transport(endpoint(server), Changing(server))
        await ApiClient(transport).list(Node)
        elsewhere = Transport(msgspec.structs.replace(endpoint(server), url="https://api.test:6443"), Changing(server))
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
            await ApiClient(elsewhere).list(Node)
        await transport.close()
        await elsewhere.close()


async def test_a_closed_client_opens_nothing() -> None:
    async with running() as server:
        transport = Transport(endpoint(server), Changing(server))
        await ApiClient(transport).list(Node)
        await transport.close()
        with pytest.raises(Unreachable, match="the client is closed"):
            await ApiClient(transport).list(Node)
        assert connections_to(server.port) == 0


async def test_a_call_that_is_given_up_leaves_nothing() -> None:
    async with running() as server:
        transport = Transport(endpoint(server), Changing(server))
        server.faults.add(Fault(ailment=Ailment.HANG))
        with suppress(PodwrightError):
            await ApiClient(transport).list(Node, timeout_s=0.2)
        await none_to(server.port)
        await transport.close()
