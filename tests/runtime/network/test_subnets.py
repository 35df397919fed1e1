"""Pod CIDRs: which subnet new pods are in, and what becomes of pods in an earlier one."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.model.sandbox import PortMapping
from podwright.runtime.network.subnets import Subnets, parse_pod_cidrs
from podwright.runtime.state import Database
from tests.harness.scratch import Scratch
from tests.runtime.network.conftest import MakeWorld
from tests.runtime.network.pods import (
    HOST,
    OUTSIDE_ADDRESS,
    Pod,
    World,
    dial,
    has_link,
    on_host,
    rules,
    serving,
)
from tools.ports import free_port

CONFIGURED, FIRST, SECOND = (IPv4Network(f"10.{number}.0.0/16") for number in (88, 1, 2))
NEXT = "10.200.7.0/24"


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("", []),
        ("10.1.2.0/24", ["10.1.2.0/24"]),
        ("10.1.2.3/24", ["10.1.2.0/24"]),
        ("10.1.2.0/24,fd00::/64", ["10.1.2.0/24", "fd00::/64"]),
        ("fd00::/64, 10.1.2.0/24", ["fd00::/64", "10.1.2.0/24"]),
    ],
)
def test_pod_cidrs(text: str, networks: list[str]) -> None:
    assert [str(network) for network in parse_pod_cidrs(text)] == networks


@pytest.mark.parametrize(
    "text",
    [
        *("10.0.0.0/99", "10.0.0.0", "10.0.0.0/", "10.0.0.0/255.0.0.0", "fd00::/200", "nonsense", ",", "10.0.0.0/8,"),
        *("10.0.0.0/24,10.0.1.0/24", "fd00::/64,fd01::/64"),
    ],
)
def test_pod_cidrs_that_are_none(text: str) -> None:
    with pytest.raises(InvalidArgument, match="pod_cidr"):
        parse_pod_cidrs(text)


def test_subnets_survive(scratch: Scratch) -> None:
    root = str(scratch.part("subnets").directory)
    database = Database(root)
    subnets = Subnets(CONFIGURED, database)
    assert (subnets.current, subnets.kept) == (CONFIGURED, ())
    subnets.use()
    for network in (FIRST, SECOND):
        subnets.move(network)
    database.close()

    database = Database(root)
    subnets = Subnets(CONFIGURED, database)
    assert (subnets.current, set(subnets.kept)) == (SECOND, {CONFIGURED, FIRST})
    assert subnets.without_pods({CONFIGURED}) == (FIRST,)
    subnets.give_up(FIRST)
    subnets.forget(FIRST)
    database.close()

    database = Database(root)
    subnets = Subnets(FIRST, database)  # a configuration that was changed since counts
    assert (subnets.current, set(subnets.kept)) == (FIRST, {CONFIGURED, SECOND})
    database.close()


def test_back_to_the_configured_subnet(scratch: Scratch) -> None:
    database = Database(str(scratch.part("subnets").directory))
    subnets = Subnets(CONFIGURED, database)
    subnets.move(FIRST)
    subnets.move(CONFIGURED)
    assert (subnets.current, subnets.kept) == (CONFIGURED, (FIRST,))
    assert Subnets(CONFIGURED, database).current == CONFIGURED
    database.close()


@pytest.mark.root
@pytest.mark.usefixtures("own_host", "firewall")
async def test_new_pods_move_and_old_ones_stay(make_world: MakeWorld, own_host: Pod) -> None:
    world = await make_world()
    old_port, new_port = free_port(), free_port()
    old = await world.attached(PortMapping(container_port=80, host_port=old_port), name="old")
    await world.service.set_pod_cidr(f"{NEXT},fd00::/64")
    new = await world.attached(PortMapping(container_port=80, host_port=new_port), name="new")
    assert IPv4Address(old.ip) in world.part.subnet
    assert IPv4Address(new.ip) in IPv4Network(NEXT)
    await check_all_ways(own_host, old, new, old_port, new_port)
    await world.restart({old.sandbox_id, new.sandbox_id})
    await check_all_ways(own_host, old, new, old_port, new_port)
    assert (await world.attached(name="newer")).ip.startswith("10.200.7.")


async def check_all_ways(outside: Pod, old: Pod, new: Pod, old_port: int, new_port: int) -> None:
    async with serving(outside, 80, "outside"), serving(old, 80, "old"), serving(new, 80, "new"):
        for pod in (old, new):
            assert await dial(pod, OUTSIDE_ADDRESS, 80) == "outside 198.51.100.1"
        assert (await dial(old, new.ip, 80)).startswith("new ")
        assert (await dial(new, old.ip, 80)).startswith("old ")
        for port, name in ((old_port, "old "), (new_port, "new ")):
            assert (await dial(HOST, "127.0.0.1", port)).startswith(name)
            for pod in (old, new):
                assert (await dial(pod, "198.51.100.1", port)).startswith(name)


@pytest.mark.root
@pytest.mark.usefixtures("own_host", "firewall")
async def test_an_earlier_subnet_goes_with_its_last_pod(make_world: MakeWorld) -> None:
    world = await make_world()
    old, new = await world.attached(name="old"), world.pod("new")
    await world.service.set_pod_cidr(NEXT)
    new.attachment = await world.service.attach(new.request())
    assert addresses(world) == {f"{world.part.subnet[1]}/24", "10.200.7.1/24"}
    await world.detach(old)
    await world.restart({new.sandbox_id})  # which waits for the deletion
    assert addresses(world) == {"10.200.7.1/24"}
    assert str(world.part.subnet[0]) not in rules(world.part.bridge)


@pytest.mark.root
@pytest.mark.usefixtures("own_host")
async def test_a_pod_cidr_comes_back_after_a_restart(world: World) -> None:
    """Also before there was any pod."""
    await world.service.set_pod_cidr(NEXT)
    assert not has_link(world.part.bridge)
    await world.restart(set())
    assert (await world.attached()).ip == "10.200.7.2"
    await world.service.set_pod_cidr("")  # which asks for nothing
    await world.service.set_pod_cidr("fd00::/64")  # which this bridge has not
    assert (await world.attached(name="other")).ip == "10.200.7.3"


@pytest.mark.root
@pytest.mark.usefixtures("own_host", "firewall")
@pytest.mark.parametrize("prefix", [15, 25, 26])
async def test_a_pod_cidr_that_overlaps_the_earlier_one(make_world: MakeWorld, own_host: Pod, prefix: int) -> None:
    """Wider or narrower: no pod gets an address that the bridge or another pod has."""
    subnet = IPv4Network("10.200.6.0/24")
    world = await make_world(subnet=str(subnet))
    old = [await world.attached(name=f"old{number}") for number in range(3)]
    wanted = subnet.supernet(new_prefix=prefix) if prefix < 24 else list(subnet.subnets(new_prefix=prefix))[-1]
    await world.service.set_pod_cidr(str(wanted))
    new = [await world.attached(name=f"new{number}") for number in range(3)]
    assert all(IPv4Address(pod.ip) in wanted for pod in new)
    assert len({pod.ip for pod in old + new} | {"10.200.6.1", str(wanted[1])}) == 8
    async with serving(own_host, 80, "outside"), serving(old[0], 80, "old"):
        for pod in (old[1], new[1]):
            assert await dial(pod, OUTSIDE_ADDRESS, 80) == "outside 198.51.100.1"
            assert (await dial(pod, old[0].ip, 80)).startswith("old ")
    for pod in old:
        await world.detach(pod)
    await world.restart({pod.sandbox_id for pod in new})
    async with serving(own_host, 80, "outside"):
        assert await dial(new[0], OUTSIDE_ADDRESS, 80) == "outside 198.51.100.1"


@pytest.mark.root
@pytest.mark.usefixtures("own_host")
async def test_pod_cidrs_that_cannot_be(world: World) -> None:
    await world.attached(name="first")
    with pytest.raises(InvalidArgument, match="no room for a pod"):
        await world.service.set_pod_cidr("10.200.7.0/31")
    with pytest.raises(FailedPrecondition, match=r"overlaps the host.s route 198\.51\.100\.0/24 dev up0"):
        await world.service.set_pod_cidr("198.51.100.0/25")
    assert IPv4Address((await world.attached(name="next")).ip) in world.part.subnet


@pytest.mark.root
async def test_the_address_of_a_pod_cannot_become_the_bridge_s(world: World) -> None:
    pods = [await world.attached(name=f"p{number}") for number in range(5)]
    taken = next(pod for pod in pods if IPv4Address(pod.ip) == world.part.subnet[5])
    with pytest.raises(FailedPrecondition, match=rf"{taken.ip}.* is the address of pod tests/p3"):
        await world.service.set_pod_cidr(f"{world.part.subnet[4]}/30")
    assert IPv4Address((await world.attached(name="next")).ip) in world.part.subnet


async def test_a_cni_configuration_passes_over_it(make_world: MakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    world = await make_world(mode="cni")
    caplog.set_level("INFO")
    await world.service.set_pod_cidr("10.200.7.0/24,fd00::/64")
    (line,) = [record.getMessage() for record in caplog.records if "pod_cidr" in record.getMessage()]
    assert "is ignored" in line
    assert "pod_cidr=10.200.7.0/24,fd00::/64" in line
    with pytest.raises(InvalidArgument):
        await world.service.set_pod_cidr("10.200.7.0/240")


def addresses(world: World) -> set[str]:
    """The bridge's own."""
    (link,) = json.loads(on_host("ip", "-j", "-4", "address", "show", "dev", world.part.bridge))
    entries: list[dict[str, Any]] = link["addr_info"]
    return {f"{entry['local']}/{entry['prefixlen']}" for entry in entries}
