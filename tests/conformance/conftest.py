"""Fixtures of the conformance tests."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conformance.pods import Pod, RunPod, running_pod
from tests.conftest import CriPeer


@pytest.fixture
def run_pod(cri_server: CriPeer, busybox_image: str) -> RunPod:
    """`async with run_pod(hostname="x", ...) as pod`: a pod by its config's fields."""
    return functools.partial(running_pod, cri_server, busybox_image)


@pytest_asyncio.fixture
async def pod(run_pod: RunPod) -> AsyncIterator[Pod]:
    """A plain pod."""
    async with run_pod() as plain:
        yield plain
