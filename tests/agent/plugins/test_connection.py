"""A connection to a plug-in that is closed while somebody waits for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from podwright.agent.plugins.connection import PluginChannel
from podwright.conformance.patience import patient
from podwright.errors import Unavailable
from podwright.kubelet_grpc import device_plugin_pb2 as messages
from podwright.kubelet_grpc import device_plugin_pb2_grpc as stubs
from tests.agent.resources.devices.plugin import ExamplePlugin

PATIENCE_S = patient(60.0)


class SilentPlugin(ExamplePlugin):
    """Takes calls and does not answer."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder, [])
        self.begun = asyncio.Event()

    async def Allocate(self, request: Any, context: Any) -> messages.AllocateResponse:  # noqa: N802
        self.begun.set()
        await asyncio.sleep(PATIENCE_S)
        return messages.AllocateResponse()

    async def ListAndWatch(self, request: Any, context: Any) -> AsyncIterator[messages.ListAndWatchResponse]:  # noqa: N802
        self.begun.set()
        yield messages.ListAndWatchResponse()
        await asyncio.sleep(PATIENCE_S)


@pytest_asyncio.fixture
async def plugin(tmp_path: Path) -> AsyncIterator[SilentPlugin]:
    async with SilentPlugin(str(tmp_path)) as plugin:
        yield plugin


async def test_who_waits_for_an_answer_is_not_cancelled(plugin: SilentPlugin) -> None:
    connection = PluginChannel(f"{plugin.folder}/{plugin.name}")
    client: Any = stubs.DevicePluginStub(connection.channel)
    waiting = asyncio.create_task(connection.call(client.Allocate, messages.AllocateRequest(), PATIENCE_S))
    await asyncio.wait_for(plugin.begun.wait(), PATIENCE_S)
    await connection.close()
    with pytest.raises(Unavailable, match="was closed during a call"):
        await waiting
    with pytest.raises(Unavailable, match="is closed"):
        await connection.call(client.Allocate, messages.AllocateRequest(), PATIENCE_S)


async def test_who_is_cancelled_stays_so(plugin: SilentPlugin) -> None:
    connection = PluginChannel(f"{plugin.folder}/{plugin.name}")
    client: Any = stubs.DevicePluginStub(connection.channel)
    waiting = asyncio.create_task(connection.call(client.Allocate, messages.AllocateRequest(), PATIENCE_S))
    await asyncio.wait_for(plugin.begun.wait(), PATIENCE_S)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await connection.close()


async def test_a_stream_that_is_closed_ends_with_an_error(plugin: SilentPlugin) -> None:
    connection = PluginChannel(f"{plugin.folder}/{plugin.name}")
    client: Any = stubs.DevicePluginStub(connection.channel)

    async def follow() -> None:
        async for _ in connection.stream(client.ListAndWatch, messages.Empty()):
            pass

    waiting = asyncio.create_task(follow())
    await asyncio.wait_for(plugin.begun.wait(), PATIENCE_S)
    await connection.close()
    with pytest.raises(Unavailable):
        await waiting
