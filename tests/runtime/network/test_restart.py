"""A daemon that is killed at any moment leaves nothing that the next one does not find."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
from ipaddress import IPv4Interface
from pathlib import Path

import msgspec
import pytest

from podwright.conformance.patience import patient
from podwright.errors import FailedPrecondition
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import PortMapping
from podwright.runtime.network import links
from podwright.runtime.network.netlink import requests
from podwright.runtime.network.netlink.connection import NetlinkConnection
from tests.runtime.network.conftest import MakeWorld
from tests.runtime.network.pods import HOST, World, bridge_ports, dial, has_link, on_host, rules, serving
from tools.ports import free_port

pytestmark = pytest.mark.root

# Attaches and detaches the pods it is given, over and over, until it is killed.
CHILD = """
import asyncio, json, sys
import msgspec
from podwright.process import PosixProcessRunner
from podwright.runtime.config import NetworkSettings
from podwright.runtime.network import NetworkRequest, NetworkService
from podwright.runtime.state import Database

async def churn(service, request):
    while True:
        attachment = await service.attach(request)
        await service.detach(request, attachment)

async def main():
    given = json.load(sys.stdin)
    options = msgspec.convert(given["options"], NetworkSettings)
    service = NetworkService(options, Database(given["root"]), PosixProcessRunner())
    await service.start()
    print("started", flush=True)
    await asyncio.gather(*(churn(service, msgspec.convert(item, NetworkRequest)) for item in given["requests"]))

asyncio.run(main())
"""


async def test_killed_at_any_moment(make_world: MakeWorld) -> None:
    world = await make_world()
    await world.close()
    pods = [world.pod(f"p{number}") for number in range(3)]
    for _ in range(6):
        await asyncio.to_thread(_churn_and_kill, world, random.uniform(0.005, 0.2))
        await _reopened(world)
        await world.service.recover([])
        assert await _settled(world)
        assert not any(pod.sandbox_id in rules(world.part.bridge) for pod in pods)
        await world.close()
        assert not has_link(world.part.bridge)
        assert rules(world.part.bridge) == ""
    await world.open()


async def test_pods_of_a_killed_daemon_stay_connected(make_world: MakeWorld) -> None:
    world = await make_world()
    port = free_port()
    kept = await world.attached(PortMapping(container_port=80, host_port=port), name="kept")
    lost = await world.attached(PortMapping(container_port=80, host_port=free_port()), name="lost")
    await world.restart({kept.sandbox_id, SandboxId("of-the-host-network")})
    async with serving(kept, 80, "kept"):
        assert (await dial(HOST, "127.0.0.1", port)).startswith("kept")
    assert lost.attachment is not None
    assert await _settled(world, {kept.attachment.detail["veth"]} if kept.attachment else set())
    fresh = await world.attached(name="fresh")
    assert fresh.ip not in (kept.ip, lost.ip)


async def test_stale_rules_of_a_lost_database_go(make_world: MakeWorld) -> None:
    """Somebody removed the daemon's root: rules that lead to no link are nobody's."""
    world = await make_world()
    port = free_port()
    pod = await world.attached(PortMapping(container_port=80, host_port=port))
    await world.close()
    assert pod.ip in rules(world.part.bridge)
    on_host("ip", "link", "delete", str(pod.attachment and pod.attachment.detail["veth"]))
    await world.open("other-root")
    await world.service.recover([])
    assert pod.ip not in rules(world.part.bridge)
    assert "masquerade" in rules(world.part.bridge)


async def test_a_bridge_that_was_made_but_not_marked_is_ours(make_world: MakeWorld) -> None:
    """The daemon was killed between the two; an administrator's bridge of that name stays."""
    world = await make_world()
    gateway = IPv4Interface(f"{world.part.subnet[1]}/{world.part.subnet.prefixlen}")
    with NetlinkConnection() as host:
        host.perform(requests.create_bridge(world.part.bridge, mac=links.mac_for(gateway), mtu=1500))
    await world.service.recover([])
    await world.close()
    assert not has_link(world.part.bridge)
    on_host("ip", "link", "add", world.part.bridge, "type", "bridge")
    await world.open()
    await world.service.recover([])
    await world.close()
    assert has_link(world.part.bridge)
    await world.open()


@pytest.mark.parametrize("mode", ["cni", "bridge"])
async def test_a_bridge_of_our_name_that_is_not_ours_is_left_alone(make_world: MakeWorld, mode: str) -> None:
    """A CNI plugin may have been told the same name."""
    world = await make_world(mode=mode)
    on_host("ip", "link", "add", world.part.bridge, "type", "bridge")
    await world.service.recover([])
    assert "state DOWN" in on_host("ip", "address", "show", world.part.bridge)
    assert rules(world.part.bridge) == ""


async def test_rules_on_an_administrator_s_bridge_go_with_the_last_pod(make_world: MakeWorld) -> None:
    world = await make_world()
    on_host("ip", "link", "add", world.part.bridge, "type", "bridge")
    await world.attached()
    await world.restart(set())
    await world.close()
    assert rules(world.part.bridge) == ""
    assert has_link(world.part.bridge)
    await world.open()


async def _reopened(world: World) -> None:
    """A program that was just being started holds the killed daemon's lock until it is executed."""
    async with asyncio.timeout(patient(60)):
        while True:
            try:
                await world.open()
            except FailedPrecondition:
                await asyncio.sleep(0.02)
            else:
                return


def _churn_and_kill(world: World, after_s: float) -> None:
    given = {
        "root": str(world.part.directory / "root"),
        "options": json.loads(_encoded(world.options())),
        "requests": [
            json.loads(_encoded(pod.request(PortMapping(container_port=80, host_port=free_port()))))
            for pod in world.pods
        ],
    }
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(given).encode())
        child.stdin.close()
        assert child.stdout.readline() == b"started\n"
        try:
            child.wait(after_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


async def _settled(world: World, expected: set[str] | None = None) -> bool:
    """Links are deleted in the background."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patient(60)):
            while bridge_ports(world.part.bridge) != (expected or set()):  # noqa: ASYNC110 # the kernel tells nobody
                await asyncio.sleep(0.02)
            return True
    return False
