"""Private worlds for tests of the network: what a failed test leaves is removed by force."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from podwright.linux import libc, namespaces
from podwright.process import ProcessRunner
from podwright.runtime.network.firewall.backend import Firewall
from podwright.runtime.network.firewall.iptables import TABLES
from podwright.runtime.network.firewall.iptables_firewall import IptablesFirewall
from podwright.runtime.network.firewall.nft_firewall import NftFirewall
from tests.harness.scratch import Scratch
from tests.runtime.network.pods import OUTSIDE_ADDRESS, Pod, World, on_host

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


@pytest.fixture
def choose_firewall(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`choose_firewall("iptables-legacy")`: play a host that has this program and no other."""

    def make(program: str, bridge: str, runner: ProcessRunner) -> Firewall:
        if program == "nft":
            return NftFirewall(runner, bridge=bridge)
        tables = frozenset[str]() if program == "iptables-legacy" else frozenset(TABLES)
        return IptablesFirewall(runner, tables=tables, program=program)

    def choose(program: str) -> None:
        async def chosen(bridge: str, runner: ProcessRunner) -> Firewall:
            return make(program, bridge, runner)

        monkeypatch.setattr("podwright.runtime.network.upkeep.choose", chosen)

    return choose


@pytest.fixture(params=["nft", "iptables"])
def firewall(request: pytest.FixtureRequest, choose_firewall: Callable[[str], None]) -> str:
    """Each program in turn."""
    choose_firewall(request.param)
    return str(request.param)


@pytest.fixture
def own_host(scratch: Scratch) -> Iterator[Pod]:
    """The test, and what it starts from now on, in a network namespace of its own: a host without others' rules.

    A cable leads to the machine that is returned, which has OUTSIDE_ADDRESS and knows no way to the pods.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    outside = Pod(netns=str(scratch.part("outside").directory / "netns"), name="outside")
    namespaces.create_pinned({"net": outside.netns}, lambda: None)
    try:
        libc.unshare(namespaces.CLONE_NEWNET)
        on_host("ip", "link", "set", "lo", "up")
        on_host("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up0", "netns", outside.netns)
        on_host("ip", "address", "add", "198.51.100.1/24", "dev", "up0")
        on_host("ip", "link", "set", "up0", "up")
        on_host("ip", "route", "add", "default", "via", OUTSIDE_ADDRESS)
        outside.run("ip", "address", "add", f"{OUTSIDE_ADDRESS}/24", "dev", "up0")
        outside.run("ip", "link", "set", "up0", "up")
        yield outside
    finally:
        libc.setns(home, namespaces.CLONE_NEWNET)
        os.close(home)
        namespaces.unpin(outside.netns)
