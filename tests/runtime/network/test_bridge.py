"""The built-in bridge with real namespaces, links and packets."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from podwright.errors import FailedPrecondition, InvalidArgument, ResourceExhausted
from podwright.linux import namespaces
from podwright.process import PosixProcessRunner
from podwright.runtime.config import NetworkSettings
from podwright.runtime.model.sandbox import PortMapping
from podwright.runtime.network import NetworkService
from podwright.runtime.state import Database
from tests.harness.scratch import Scratch
from tests.runtime.network.conftest import MakeWorld
from tests.runtime.network.pods import (
    HOST,
    Pod,
    World,
    bridge_ports,
    dial,
    has_link,
    on_host,
    rules,
    serving,
)
from tools.ports import free_port

pytestmark = pytest.mark.root


async def test_a_pod_gets_address_route_and_loopback(world: World) -> None:
    pod = await world.attached()
    assert pod.attachment is not None
    assert pod.attachment.backend == "bridge"
    assert pod.attachment.interface == "eth0"
    links = {link["ifname"]: link for link in pod.ip_json("address")}
    assert "UP" in links["lo"]["flags"]
    assert "UP" in links["eth0"]["flags"]
    inet = next(entry for entry in links["eth0"]["addr_info"] if entry["family"] == "inet")
    assert (inet["local"], inet["prefixlen"]) == (pod.ip, world.part.subnet.prefixlen)
    assert links["eth0"]["address"] == "0a:58:" + ":".join(
        f"{byte:02x}" for byte in ipaddress.ip_address(pod.ip).packed
    )
    gateway = str(world.part.subnet[1])
    assert [route["gateway"] for route in pod.ip_json("route") if route["dst"] == "default"] == [gateway]


async def test_pods_reach_each_other_the_host_and_themselves(world: World) -> None:
    one, two = await world.attached(name="one"), await world.attached(name="two")
    port = free_port()
    async with serving(two, 80, "two"), serving(HOST, port, "host", str(world.part.subnet[1])):
        assert await dial(one, two.ip, 80) == f"two {one.ip}"
        assert await dial(one, str(world.part.subnet[1]), port) == f"host {one.ip}"
        assert await dial(HOST, two.ip, 80) == f"two {world.part.subnet[1]}"
        assert await dial(two, "127.0.0.1", 80) == "two 127.0.0.1"


async def test_outside_sees_the_host_s_address(world: World, scratch: Scratch) -> None:
    pod, outside = await world.attached(), world.pod("outside")
    part = scratch.part("net")
    here, there, link = str(part.subnet[1]), str(part.subnet[2]), f"{part.bridge[:14]}o"
    with _cable(outside, link, f"{here}/30", f"{there}/30"):
        async with serving(outside, 80, "outside"):
            assert await dial(pod, there, 80) == f"outside {here}"


@pytest.mark.usefixtures("own_host")  # a kubelet's KUBE-FIREWALL, which stays on a host, does the guard's work
async def test_a_pod_cannot_reach_the_host_s_loopback(world: World) -> None:
    """route_localnet, which 127.0.0.1:hostPort needs, must not open what listens on 127.0.0.1 to pods."""
    pod = await world.attached()
    _route_loopback_through_the_bridge(pod, str(world.part.subnet[1]))
    with HOST.socket(socket.SOCK_DGRAM) as secret, pod.socket(socket.SOCK_DGRAM) as attacker:
        secret.bind(("127.0.0.1", 0))
        target = secret.getsockname()
        assert not await _arrives(attacker, secret, target)
        await world.service.close()  # which would put the guard back
        on_host("nft", "flush", "chain", "ip", world.part.bridge, "guard")
        assert await _arrives(attacker, secret, target)  # so it was the guard


async def test_a_pods_traffic_is_limited(world: World) -> None:
    pod = world.pod()
    limits = {"kubernetes.io/ingress-bandwidth": "10M", "kubernetes.io/egress-bandwidth": "40G"}
    pod.attachment = await world.service.attach(pod.request(annotations=limits))
    assert " rate 10Mbit burst 64Kb " in on_host("tc", "qdisc", "show", "dev", pod.attachment.detail["veth"])
    assert " rate 40Gbit " in pod.run("tc", "qdisc", "show", "dev", "eth0")
    async with serving(pod, 80, "pod"):
        assert (await dial(HOST, pod.ip, 80)).startswith("pod")
    await world.detach(pod)


async def test_a_limit_that_is_none_is_refused(world: World) -> None:
    pod = world.pod()
    with pytest.raises(InvalidArgument, match="egress-bandwidth"):
        await world.service.attach(pod.request(annotations={"kubernetes.io/egress-bandwidth": "fast"}))
    assert not bridge_ports(world.part.bridge)


async def test_detach_leaves_nothing(world: World) -> None:
    pod = await world.attached(PortMapping(container_port=80, host_port=free_port()))
    await world.detach(pod)
    await world.detach(pod)
    await world.service.close()
    assert not has_link(world.part.bridge)
    assert rules(world.part.bridge) == ""
    assert not _leases(world)
    assert [link["ifname"] for link in pod.ip_json("link")] == ["lo"]


async def test_detach_with_the_namespace_gone(world: World) -> None:
    pod = await world.attached()
    namespaces.unpin(pod.netns)
    await world.service.detach(pod.request(), None)
    await world.close()
    assert not _leases(world)
    await world.open()


async def test_a_pod_is_off_the_network_when_detach_returns(world: World) -> None:
    pod = await world.attached()
    async with serving(pod, 80, "pod"):
        await dial(HOST, pod.ip, 80)
        await world.detach(pod)
        with pytest.raises(OSError):  # noqa: PT011 # a timeout or "no route", as the kernel likes
            await dial(HOST, pod.ip, 80, timeout_s=0.3)


async def test_a_failed_attach_leaves_nothing(world: World) -> None:
    missing = Pod(netns=f"{world.part.directory}/missing")
    with pytest.raises(FailedPrecondition, match="missing"):
        await world.service.attach(missing.request(PortMapping(container_port=80, host_port=free_port())))
    await world.service.close()
    assert not _leases(world)
    assert not has_link(world.part.bridge)


async def test_a_namespace_that_has_eth0_is_refused(world: World) -> None:
    pod = world.pod()
    pod.run("ip", "link", "add", "eth0", "type", "veth")
    with pytest.raises(FailedPrecondition, match="already has an eth0"):
        await world.service.attach(pod.request())
    assert not bridge_ports(world.part.bridge)


async def test_attaching_again_starts_afresh(world: World) -> None:
    pod = await world.attached()
    first = pod.ip
    pod.attachment = await world.service.attach(pod.request())
    assert pod.ip == first  # the same pod, and its address was free again
    assert len(bridge_ports(world.part.bridge)) == 1


async def test_a_cancelled_attach_leaves_nothing(world: World) -> None:
    for delay_s in (0, 0.0005, 0.001, 0.002, 0.004):
        pod = world.pod()
        task = asyncio.create_task(
            world.service.attach(pod.request(PortMapping(container_port=1, host_port=free_port())))
        )
        await asyncio.sleep(delay_s)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
            await world.detach(pod)
    await world.service.close()
    assert not _leases(world)
    assert not has_link(world.part.bridge)
    assert rules(world.part.bridge) == ""


async def test_the_pods_next_sandbox_has_its_address_at_once(world: World) -> None:
    pod = await world.attached(name="again")
    await world.attached(name="other")
    await world.detach(pod)
    assert (await world.attached(name="again")).ip == pod.ip


async def test_addresses_run_out(make_world: MakeWorld, scratch: Scratch) -> None:
    subnet = next(scratch.part("net").subnet.subnets(new_prefix=29))
    world = await make_world(subnet=str(subnet))
    pods = [await world.attached(name=f"p{number}") for number in range(5)]
    assert len({pod.ip for pod in pods}) == 5
    with pytest.raises(ResourceExhausted, match=str(subnet)):
        await world.attached()
    await world.detach(pods[2])  # its link is deleted in the background, but not while somebody waits for it
    assert (await world.attached(name="late")).ip == pods[2].ip


async def test_twenty_at_once(world: World) -> None:
    pods = [world.pod(f"p{number}") for number in range(20)]
    for pod, attachment in zip(
        pods, await asyncio.gather(*(world.service.attach(pod.request()) for pod in pods)), strict=True
    ):
        pod.attachment = attachment
    assert len({pod.ip for pod in pods}) == 20
    async with contextlib.AsyncExitStack() as servers:
        for pod in pods:
            await servers.enter_async_context(serving(pod, 80, pod.name))
        answers = await asyncio.gather(*(dial(HOST, pod.ip, 80) for pod in pods))
    assert [answer.split()[0] for answer in answers] == [pod.name for pod in pods]
    await asyncio.gather(*(world.detach(pod) for pod in pods))
    await world.service.close()
    assert not has_link(world.part.bridge)
    assert not _leases(world)


async def test_two_daemons_share_a_bridge(world: World) -> None:
    database = Database(str(world.part.directory / "other"))
    other = NetworkService(world.options(), database, PosixProcessRunner())
    pods = [world.pod(f"p{number}") for number in range(8)]
    services = [world.service, other]
    attachments = await asyncio.gather(
        *(services[number % 2].attach(pod.request()) for number, pod in enumerate(pods))
    )
    assert len({attachment.ips for attachment in attachments}) == 8
    for number in range(0, 8, 2):
        await world.service.detach(pods[number].request(), attachments[number])
    await world.service.close()
    assert len(bridge_ports(world.part.bridge)) == 4
    assert "masquerade" in rules(world.part.bridge)
    for number in range(1, 8, 2):
        await other.detach(pods[number].request(), attachments[number])
    await other.close()
    database.close()
    assert not has_link(world.part.bridge)


async def test_a_deleted_bridge_is_made_again(world: World) -> None:
    await world.attached()
    on_host("ip", "link", "delete", world.part.bridge)
    pod = await world.attached()
    async with serving(pod, 80, "pod"):
        assert (await dial(HOST, pod.ip, 80)).startswith("pod")


async def test_an_administrator_s_bridge_stays(world: World) -> None:
    on_host("ip", "link", "add", world.part.bridge, "type", "bridge")
    await world.detach(await world.attached())
    await world.service.close()
    assert has_link(world.part.bridge)
    assert rules(world.part.bridge) == ""


async def test_a_link_that_is_no_bridge_is_refused(world: World) -> None:
    on_host("ip", "link", "add", world.part.bridge, "type", "veth")
    with pytest.raises(FailedPrecondition, match="is not a bridge"):
        await world.attached()


async def test_a_subnet_that_overlaps_is_refused(world: World, make_world: MakeWorld) -> None:
    await world.attached()
    half = next(world.part.subnet.subnets())
    second = await make_world(subnet=str(half))
    readiness = await second.service.readiness()
    assert (readiness.ready, readiness.reason) == (False, "NetworkPluginNotReady")
    assert readiness.message.startswith("Network plugin returns error: ")
    assert f"{world.part.subnet} dev {world.part.bridge}" in readiness.message
    with pytest.raises(FailedPrecondition, match="overlaps"):
        await second.attached()
    assert not has_link(second.part.bridge)


async def test_mtu(make_world: MakeWorld) -> None:
    world = await make_world(mtu=1400)
    pod = await world.attached()
    assert {link["ifname"]: link["mtu"] for link in pod.ip_json("link")}["eth0"] == 1400


@pytest.mark.parametrize(
    "settings",
    [{"subnet": "10.0.0.0/33"}, {"subnet": "10.0.0.1/24"}, {"subnet": "fd00::/64"}, {"subnet": "10.0.0.0/31"}]
    + [{"bridge": name} for name in ("", "a" * 16, "a b", "a/b", 'x"y', "1a")],
)
def test_wrong_settings(settings: dict[str, Any], scratch: Scratch) -> None:
    database = Database(str(scratch.part("net").directory))
    with contextlib.closing(database), pytest.raises(InvalidArgument, match=r"\[network\]"):
        NetworkService(NetworkSettings(**settings), database, PosixProcessRunner())


def _leases(world: World) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(f"{world.part.directory}/root/state.db")) as connection:
        found: list[tuple[object, ...]] = connection.execute("SELECT * FROM network_leases").fetchall()
        return found


@contextlib.contextmanager
def _cable(outside: Pod, link: str, here: str, there: str) -> Iterator[None]:
    """A veth between the host and a machine outside that knows no way to the pods."""
    commands = [
        ["ip", "link", "add", link, "type", "veth", "peer", "name", "up0", "netns", outside.netns],
        ["ip", "address", "add", here, "dev", link],
        ["ip", "link", "set", link, "up"],
    ]
    try:
        for argv in commands:
            subprocess.run(argv, check=True)
        outside.run("ip", "address", "add", there, "dev", "up0")
        outside.run("ip", "link", "set", "up0", "up")
        yield
    finally:
        subprocess.run(["ip", "link", "delete", link], check=False)


def _route_loopback_through_the_bridge(pod: Pod, gateway: str) -> None:
    pod.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
    pod.run("ip", "route", "delete", "local", "127.0.0.1", "dev", "lo", "table", "local")
    pod.run("ip", "route", "delete", "local", "127.0.0.0/8", "dev", "lo", "table", "local")
    pod.run("ip", "route", "add", "127.0.0.0/8", "via", gateway)


async def _arrives(sender: socket.socket, receiver: socket.socket, target: tuple[str, int]) -> bool:
    loop = asyncio.get_running_loop()
    await loop.sock_sendto(sender, b"!", target)
    try:
        return await asyncio.wait_for(loop.sock_recv(receiver, 16), 0.3) == b"!"
    except TimeoutError:
        return False
