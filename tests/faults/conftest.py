"""Fixtures of the fault tests: each test has a daemon of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.faulty import FaultyRuntime
from tests.faults.node import Node, running_node
from tests.fixtures import FreshPodwright

HASTY_S = 3.0


@pytest_asyncio.fixture
async def node(fresh_podwright: FreshPodwright, busybox_image: str) -> AsyncIterator[Node]:
    """A daemon with the default settings."""
    async with running_node(fresh_podwright(), busybox_image) as plain:
        yield plain


@pytest.fixture
def faulty(tmp_path: Path) -> FaultyRuntime:
    """A runtime that fails on demand."""
    return FaultyRuntime(tmp_path / "faulty")


@pytest_asyncio.fixture
async def faulty_node(
    fresh_podwright: FreshPodwright, busybox_image: str, faulty: FaultyRuntime
) -> AsyncIterator[Node]:
    """A daemon with that runtime as a handler."""
    async with running_node(fresh_podwright(faulty.settings()), busybox_image) as node:
        yield node
        faulty.behave()


@pytest_asyncio.fixture
async def hasty_node(
    fresh_podwright: FreshPodwright, busybox_image: str, faulty: FaultyRuntime
) -> AsyncIterator[Node]:
    """The same for calls that hang: each is given up soon, though not before a busy machine has done an honest one."""
    async with running_node(fresh_podwright(faulty.settings(timeout_s=HASTY_S)), busybox_image) as node:
        yield node
        faulty.behave()
