"""The pytest plugin of `podwright conformance`: the server is the one of `--endpoint`.

Only `run` loads it. Where cases run on servers of their own, other code defines the two fixtures.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `run` passes on."""
    group = parser.getgroup("podwright conformance")
    group.addoption("--endpoint", required=True, help="the CRI socket, unix:///path")
    group.addoption("--image", required=True, help="an image with busybox, by the name that the server pulls it by")
    group.addoption("--cgroup-parent", default="", help="the pods' cgroup parent")


@pytest.hookimpl(tryfirst=True)  # before pytest-timeout reads the option
def pytest_configure(config: pytest.Config) -> None:
    """A slow machine gives each case more time."""
    if config.option.timeout is None:
        config.option.timeout = patient(float(config.getini("timeout")))


def pytest_report_header(config: pytest.Config) -> str:
    """What is under test."""
    return f"endpoint: {config.getoption('--endpoint')}, image: {config.getoption('--image')}"


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest) -> str:
    """A reference to an image with busybox."""
    return str(request.config.getoption("--image"))


@pytest_asyncio.fixture
async def cri_server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CriPeer]:
    """The server, with a client on the cases' event loop."""
    endpoint = str(request.config.getoption("--endpoint"))
    async with CriClient(endpoint) as client:
        version = await client.call(client.runtime.Version, api.VersionRequest())
        yield CriPeer(
            name=version.runtime_name,
            endpoint=endpoint,
            client=client,
            logs=tmp_path,
            cgroup_parent=str(request.config.getoption("--cgroup-parent")),
        )
