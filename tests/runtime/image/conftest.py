from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest_asyncio

from tests.harness.scripted_registry import ScriptedRegistry
from tests.runtime.image.node import MakeNode, Node


@pytest_asyncio.fixture
async def make_node(tmp_path: Path) -> AsyncIterator[MakeNode]:
    """`await make_node(root=..., registry={...}, images={...})`: a service that is ready."""
    async with AsyncExitStack() as stack:

        async def make(
            root: Path | None = None,
            registry: dict[str, object] | None = None,
            images: dict[str, object] | None = None,
            signatures: dict[str, object] | None = None,
        ) -> Node:
            node = Node(root or tmp_path / "root", registry or {}, images or {}, signatures or {})
            stack.push_async_callback(node.close)
            await node.service.recover()
            return node

        yield make


@pytest_asyncio.fixture
async def node(make_node: MakeNode) -> Node:
    """A service with the usual settings."""
    return await make_node()


@pytest_asyncio.fixture
async def hasty_node(make_node: MakeNode) -> Node:
    """A service that waits a second for a registry which has fallen silent."""
    return await make_node(registry={"stall_timeout_s": 1.0})


@pytest_asyncio.fixture
async def liar() -> AsyncIterator[ScriptedRegistry]:
    """A registry that does what the test says."""
    async with ScriptedRegistry() as server:
        yield server
