"""Host ports with real packets, by nft and by iptables."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.model.sandbox import PortMapping, Protocol
from tests.runtime.network.conftest import MakeWorld
from tests.runtime.network.pods import (
    HOST,
    Pod,
    World,
    ask_udp,
    bridge_ports,
    dial,
    host_address,
    on_host,
    rules,
    serving,
    serving_udp,
)
from tools.ports import free_port

pytestmark = pytest.mark.root


def tcp(host_port: int, container_port: int = 80, host_ip: str = "") -> PortMapping:
    return PortMapping(host_port=host_port, container_port=container_port, host_ip=host_ip)


@pytest.mark.usefixtures("firewall")
async def test_a_host_port_answers_everywhere(world: World) -> None:
    port, gateway = free_port(), str(world.part.subnet[1])
    pod, other = await world.attached(tcp(port), name="web"), await world.attached(name="other")
    async with serving(pod, 80, "web"):
        assert await dial(HOST, "127.0.0.1", port) == f"web {gateway}"
        assert await dial(HOST, host_address(), port) == f"web {host_address()}"
        assert await dial(HOST, gateway, port) == f"web {gateway}"
        assert (await dial(other, gateway, port)).startswith("web")
        assert (await dial(other, host_address(), port)).startswith("web")
        assert (await dial(pod, host_address(), port)).startswith("web")  # its own: the hairpin
        assert await dial(other, pod.ip, 80) == f"web {other.ip}"  # not translated


@pytest.mark.usefixtures("firewall")
async def test_udp(world: World) -> None:
    port = free_port(socket.SOCK_DGRAM)
    mapping = PortMapping(host_port=port, container_port=53, protocol=Protocol.UDP)
    pod, other = await world.attached(mapping), await world.attached()
    async with serving_udp(pod, 53, "dns"):
        for client, address in (
            (HOST, "127.0.0.1"),
            (HOST, host_address()),
            (other, host_address()),
            (pod, host_address()),
        ):
            with client.socket(socket.SOCK_DGRAM) as asking:
                assert await ask_udp(asking, address, port) == "dns"


@pytest.mark.usefixtures("firewall")
async def test_udp_flows_follow_the_port(world: World) -> None:
    """A client that never stops sending is a tracked flow: it must be forgotten when the port changes hands."""
    port = free_port(socket.SOCK_DGRAM)
    mapping = PortMapping(host_port=port, container_port=53, protocol=Protocol.UDP)
    first, second = world.pod("first"), world.pod("second")
    with HOST.socket(socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        await asyncio.get_running_loop().sock_sendto(client, b"?", ("127.0.0.1", port))  # before there is a pod
        for pod in (first, second):
            pod.attachment = await world.service.attach(pod.request(mapping))
            async with serving_udp(pod, 53, pod.name):
                assert await ask_udp(client, "127.0.0.1", port) == pod.name
            await world.detach(pod)


@pytest.mark.usefixtures("firewall")
async def test_host_ip_is_honoured(world: World) -> None:
    port, gateway = free_port(), str(world.part.subnet[1])
    await world.detach(await world.attached())  # the bridge's address is there now
    on_loopback = await world.attached(tcp(port, host_ip="127.0.0.1"), name="loopback")
    on_bridge = await world.attached(tcp(port, host_ip=gateway), name="bridge")
    async with serving(on_loopback, 80, "loopback"), serving(on_bridge, 80, "bridge"):
        assert (await dial(HOST, "127.0.0.1", port)).startswith("loopback")
        assert (await dial(HOST, gateway, port)).startswith("bridge")
        with pytest.raises(ConnectionRefusedError):
            await dial(HOST, host_address(), port)


@pytest.mark.usefixtures("firewall")
async def test_detach_closes_its_ports_only(world: World) -> None:
    first_port, second_port = free_port(), free_port()
    first = await world.attached(tcp(first_port), tcp(free_port(), 80), name="first")
    second = await world.attached(tcp(second_port), name="second")
    await world.detach(first)
    with pytest.raises(ConnectionRefusedError):
        await dial(HOST, "127.0.0.1", first_port)
    async with serving(second, 80, "second"):
        assert (await dial(HOST, "127.0.0.1", second_port)).startswith("second")
        third = await world.attached(tcp(first_port), name="third")
        async with serving(third, 80, "third"):
            assert (await dial(HOST, "127.0.0.1", first_port)).startswith("third")


@pytest.mark.usefixtures("firewall")
async def test_nothing_stays_after_the_last_pod(world: World) -> None:
    port = free_port()
    await world.detach(
        await world.attached(tcp(port), PortMapping(host_port=port, container_port=1, protocol=Protocol.UDP))
    )
    assert world.part.bridge in rules(world.part.bridge)
    await world.service.close()
    assert rules(world.part.bridge) == ""


@pytest.mark.usefixtures("firewall")
async def test_many_at_once(world: World) -> None:
    ports = {free_port() for _ in range(12)}
    pods = await asyncio.gather(*(world.attached(tcp(port), name=f"p{port}") for port in ports))
    async with contextlib.AsyncExitStack() as servers:
        for pod in pods:
            await servers.enter_async_context(serving(pod, 80, pod.name))
        for port in ports:
            assert (await dial(HOST, "127.0.0.1", port)).startswith(f"p{port} ")
    await asyncio.gather(*(world.detach(pod) for pod in pods))


@pytest.mark.usefixtures("firewall")
async def test_published_again_after_a_restart(world: World) -> None:
    port = free_port()
    pod, gone = await world.attached(tcp(port), name="stays"), await world.attached(tcp(free_port()), name="goes")
    await world.restart({pod.sandbox_id})
    async with serving(pod, 80, "stays"):
        assert (await dial(HOST, "127.0.0.1", port)).startswith("stays")
    with pytest.raises(FailedPrecondition, match=f"{port}/tcp is in use by pod tests/stays"):
        await world.attached(tcp(port))
    assert gone.attachment is not None
    assert gone.ip not in rules(world.part.bridge)
    assert gone.attachment.detail["veth"] not in rules(world.part.bridge)


async def test_flushed_rules_come_back(world: World) -> None:
    await world.attached()
    on_host("nft", "delete", "table", "ip", world.part.bridge)
    port = free_port()
    pod = await world.attached(tcp(port))
    async with serving(pod, 80, "pod"):
        assert (await dial(HOST, "127.0.0.1", port)).startswith("pod")
    on_host("nft", "flush", "map", "ip", world.part.bridge, "host_ports")
    await world.detach(pod)
    assert pod.ip not in rules(world.part.bridge)


async def test_a_port_of_another_pod_is_refused(world: World) -> None:
    port = free_port()
    await world.attached(tcp(port), name="holder")
    loser = world.pod("loser")
    with pytest.raises(FailedPrecondition, match=f"{port}/tcp is in use by pod tests/holder"):
        await world.service.attach(loser.request(tcp(free_port()), tcp(port, host_ip="127.0.0.1")))
    assert len(bridge_ports(world.part.bridge)) == 1
    udp = PortMapping(host_port=port, container_port=80, protocol=Protocol.UDP)
    await world.service.attach(loser.request(udp))  # the same number, another protocol


async def test_a_port_of_a_process_is_refused(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(FailedPrecondition, match=rf"{port}/tcp is in use by .+ \(pid \d+\)"):
            await world.attached(tcp(port))
    assert not bridge_ports(world.part.bridge)
    await world.attached(tcp(port))


async def test_no_process_can_take_a_pod_s_port(world: World) -> None:
    port = free_port()
    pod = await world.attached(tcp(port))
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port))
    await world.detach(pod)
    socket.create_server(("127.0.0.1", port)).close()


async def test_a_port_taken_while_the_daemon_was_down(make_world: MakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    world = await make_world()
    port = free_port()
    pod = await world.attached(tcp(port), name="web")
    await world.close()
    with socket.create_server(("127.0.0.1", port)):
        await world.open()
        await world.service.recover({pod.sandbox_id})
        assert "tests/web" in caplog.text
        async with serving(pod, 80, "web"):
            assert (await dial(HOST, "127.0.0.1", port)).startswith("web")


async def test_wrong_mappings_are_refused(world: World) -> None:
    pod: Pod = world.pod()
    for mapping in (tcp(65536), tcp(80, 0), tcp(80, 80, "::1"), tcp(80, 80, "nonsense")):
        with pytest.raises(InvalidArgument):
            await world.service.attach(pod.request(mapping))
    assert not bridge_ports(world.part.bridge)
