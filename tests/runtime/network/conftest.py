"""Private worlds for tests of the network: what a failed test leaves is removed by force."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio

from podwright.linux import namespaces
from tests.harness.scratch import Scratch
from tests.runtime.network.pods import World, on_host

MakeWorld = Callable[..., Awaitable[World]]


@pytest_asyncio.fixture
async def make_world(scratch: Scratch) -> AsyncIterator[MakeWorld]:
    """`await make_world(mode="bridge", ...)`: a service on a bridge, subnet and directory of its own."""
    worlds: list[World] = []

    async def make(**settings: Any) -> World:
        world = World(scratch.part("net"), **settings)
        worlds.append(world)
        await world.open()
        return world

    yield make
    for world in worlds:
        with contextlib.suppress(Exception):  # the test has said what went wrong
            await world.gone()
        for pod in world.pods:
            namespaces.unpin(pod.netns)
        on_host("ip", "link", "delete", world.part.bridge, check=False)
        on_host("nft", "delete", "table", "ip", world.part.bridge, check=False)


@pytest_asyncio.fixture
async def world(make_world: MakeWorld) -> World:
    """A world with the built-in bridge."""
    return await make_world()
