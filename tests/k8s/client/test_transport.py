"""Connections over time: new certificates mean new connections."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from podwright.errors import PodwrightError
from podwright.k8s.client import pool
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.dialing import ByteStream, Way
from podwright.k8s.client.endpoint import Identity, KeyPair
from podwright.k8s.client.failures import Renewed, Unreachable
from podwright.k8s.client.protocol import Watching
from podwright.k8s.client.transport import Transport
from podwright.k8s.objects import Node
from tests.harness.apiserver.faults import Ailment, Fault
from tests.harness.apiserver.server import ADMIN, ApiServer, running
from tests.harness.sockets import connections_to, none_to
from tests.k8s.client.connected import endpoint, until


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


async def test_a_closed_client_opens_nothing() -> None:
    async with running() as server:
        transport = Transport(endpoint(server), Changing(server))
        await ApiClient(transport).list(Node)
        await transport.close()
        with pytest.raises(Unreachable, match="the client is closed"):
            await ApiClient(transport).list(Node)
        assert connections_to(server.port) == 0


async def test_a_call_on_a_kept_connection_ends_with_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dial(_: Way) -> ByteStream:
        raise AssertionError("a closed client connects")

    async with running() as server:
        transport = Transport(endpoint(server), Changing(server))
        await ApiClient(transport).list(Node)
        monkeypatch.setattr(pool, "dial", dial)
        fault = server.faults.add(Fault(ailment=Ailment.HANG))
        hanging = asyncio.create_task(ApiClient(transport).list(Node))
        await until(lambda: not fault.times)
        await transport.close()
        with pytest.raises(Unreachable):
            await hanging
        assert connections_to(server.port) == 0


async def test_a_call_that_is_given_up_leaves_nothing() -> None:
    async with running() as server:
        transport = Transport(endpoint(server), Changing(server))
        server.faults.add(Fault(ailment=Ailment.HANG))
        with suppress(PodwrightError):
            await ApiClient(transport).list(Node, timeout_s=0.2)
        await none_to(server.port)
        await transport.close()
