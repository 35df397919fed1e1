"""Registries of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.runtime.registry.asking import BLOB, BLOB_PATH
from tests.runtime.registry.scripted import ScriptedRegistry
from tools.images import Entry, Image, image_of, layer_of


@pytest.fixture(scope="module")
def image() -> Image:
    return image_of([layer_of([Entry("f", 0o644)])], {})


@pytest_asyncio.fixture
async def registry(image: Image) -> AsyncIterator[ScriptedRegistry]:
    async with ScriptedRegistry() as server:
        server.serve("app:1", image)
        server.put(BLOB_PATH, BLOB)
        yield server


@pytest_asyncio.fixture
async def mirror() -> AsyncIterator[ScriptedRegistry]:
    async with ScriptedRegistry() as server:
        yield server
