"""Clients of the tests' API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from podwright.conformance.patience import patient
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.endpoint import Credentials, Endpoint, Identity
from podwright.k8s.client.transport import Transport
from tests.harness.apiserver.server import ApiServer, running

WAIT_S = patient(60.0)


class FixedCredentials:
    """`Credentials` that never change."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def identity(self) -> Identity:
        return self._identity

    def refused(self, identity: Identity) -> bool:
        return False


def bearer(token: str) -> Identity:
    """The identity of a token."""
    return Identity(headers={"Authorization": f"Bearer {token}"})


def endpoint(server: ApiServer) -> Endpoint:
    """How to reach it."""
    return Endpoint(url=server.url, authorities=server.authority.certificate)


@contextlib.asynccontextmanager
async def client_of(server: ApiServer, credentials: Credentials | None = None) -> AsyncIterator[ApiClient]:
    """A client, by default the admin's."""
    transport = Transport(endpoint(server), credentials or FixedCredentials(bearer(server.admin_token)))
    try:
        yield ApiClient(transport)
    finally:
        await transport.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what nobody tells. Raises TimeoutError."""
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110 # there is no event for it
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[tuple[ApiServer, ApiClient]]:
    """A server and the admin's client."""
    async with running() as server, client_of(server) as api:
        yield server, api
