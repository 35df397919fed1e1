"""What other programs take away from pods on the built-in bridge comes back, on a host of the test's own.

Each test runs in a network namespace of its own: `nft flush ruleset` there hurts nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.errors import FailedPrecondition
from podwright.process import Command, Completed, PosixProcessRunner
from podwright.runtime.model.sandbox import PortMapping
from podwright.runtime.network import upkeep
from tests.runtime.network.conftest import MakeWorld
from tests.runtime.network.pods import HOST, OUTSIDE_ADDRESS, TIMEOUT_S, Pod, World, dial, on_host, serving

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_host")]

HOST_PORT = 8080
DEADLINE_S = patient(60.0)
PROGRAMS = ["nft", "iptables-nft", "iptables-legacy"]

# {bridge}, {subnet}, {gateway} and {veth} are those of the test.
OF_THE_BRIDGE = {
    "bridge deleted": "ip link delete {bridge}",
    "bridge down": "ip link set {bridge} down",
    "address": "ip address flush dev {bridge}",
    "route": "ip route delete {subnet}",
    "forwarding": "sysctl -qw net.ipv4.ip_forward=0",
    "the bridge's forwarding": "sysctl -qw net.ipv4.conf.{bridge}.forwarding=0",
}
OF_NFT = {
    "ruleset": "nft flush ruleset",
    "table": "nft delete table ip {bridge}",
    "dormant table": "nft add table ip {bridge} { flags dormant; }",
    "rules": "nft flush table ip {bridge}",
    "masquerading": "nft flush set ip {bridge} subnets",
    "host ports": "nft flush map ip {bridge} host_ports",
    "a chain in the place of ours": "nft delete chain ip {bridge} postrouting ; add chain ip {bridge} postrouting",
}
OF_IPTABLES = {
    "all rules": "{program} -t nat -F",
    "a jump": "{program} -t nat -D POSTROUTING -j PW-{bridge}-M",
    "masquerading": "{program} -t nat -F PW-{bridge}-M",
    "host ports": "{program} -t nat -F PW-{bridge}-D",
    "a pod's chain": "{program} -t nat -F PW-{veth}-D",
}
BREAKS = [
    *(pytest.param("nft", line, id=name) for name, line in {**OF_THE_BRIDGE, **OF_NFT}.items()),
    *(
        pytest.param(program, line, id=f"{program}, {name}")
        for program in PROGRAMS[1:]
        for name, line in OF_IPTABLES.items()
    ),
    pytest.param("iptables-nft", OF_NFT["ruleset"], id="iptables-nft, ruleset"),
]


def breaking(world: World, pod: Pod, program: str, line: str) -> None:
    """Do what another program might do."""
    assert pod.attachment is not None
    words = {
        "bridge": world.part.bridge,
        "subnet": str(world.part.subnet),
        "veth": pod.attachment.detail["veth"],
        "program": program,
    }
    for name, value in words.items():
        line = line.replace(f"{{{name}}}", value)
    on_host(*line.split())


async def serves_and_gets_out(pod: Pod, timeout_s: float = TIMEOUT_S) -> bool:
    """Whether the pod reaches the machine outside, and its host port leads to it."""
    try:
        out = await dial(pod, OUTSIDE_ADDRESS, 80, timeout_s=timeout_s)
        answer = await dial(HOST, "127.0.0.1", HOST_PORT, timeout_s=timeout_s)
    except OSError:
        return False
    return out == "outside 198.51.100.1" and answer.startswith("web ")


async def eventually(pod: Pod) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await serves_and_gets_out(pod, 0.5):  # noqa: ASYNC110 # packets do not tell
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture
async def web(
    request: pytest.FixtureRequest, choose_firewall: Callable[[str], None], make_world: MakeWorld
) -> tuple[World, Pod]:
    """A world whose rules are set by the case's `program`, nft for want of one, and a pod with a host port."""
    parameters = getattr(request.node, "callspec", None)
    choose_firewall(parameters.params.get("program", "nft") if parameters else "nft")
    world = await make_world()
    return world, await world.attached(PortMapping(container_port=80, host_port=HOST_PORT), name="web")


@pytest.mark.parametrize(("program", "line"), BREAKS)
async def test_a_pod_that_runs_gets_it_back_by_itself(
    web: tuple[World, Pod], own_host: Pod, program: str, line: str
) -> None:
    world, pod = web
    async with serving(own_host, 80, "outside"), serving(pod, 80, "web"):
        assert await serves_and_gets_out(pod)
        breaking(world, pod, program, line)
        await eventually(pod)


@pytest.mark.parametrize(("program", "line"), BREAKS)
async def test_the_next_pod_and_then_all_have_it_at_once(
    web: tuple[World, Pod], own_host: Pod, program: str, line: str
) -> None:
    world, pod = web
    breaking(world, pod, program, line)
    fresh = await world.attached(name="fresh")
    async with serving(own_host, 80, "outside"), serving(pod, 80, "web"):
        assert await dial(fresh, OUTSIDE_ADDRESS, 80) == "outside 198.51.100.1"
        await eventually(pod)


@pytest.mark.parametrize("line", [*OF_THE_BRIDGE.values(), *OF_NFT.values()], ids=[*OF_THE_BRIDGE, *OF_NFT])
async def test_ready_is_true_when_it_is_said(web: tuple[World, Pod], own_host: Pod, line: str) -> None:
    """A Status right after the change waits until all is there again."""
    world, pod = web
    assert (await world.service.readiness()).ready  # what the daemon itself changed was looked at
    breaking(world, pod, "nft", line)
    async with serving(own_host, 80, "outside"), serving(pod, 80, "web"):
        if (await world.service.readiness()).ready:
            assert await serves_and_gets_out(pod)
        else:
            await eventually(pod)


async def test_what_nothing_notifies_of_is_found_by_polling(
    web: tuple[World, Pod], own_host: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, pod = web
    monkeypatch.setattr(upkeep, "POLL_S", 0.5)
    breaking(world, pod, "nft", OF_NFT["host ports"])  # so that the poll under way comes to its end
    async with serving(own_host, 80, "outside"), serving(pod, 80, "web"):
        await eventually(pod)
        breaking(world, pod, "nft", "ip link set {veth} nomaster")
        await eventually(pod)


async def test_what_nothing_notifies_of_is_there_for_the_next_pod(world: World) -> None:
    await world.attached()
    on_host("sysctl", "-qw", f"net.ipv4.conf.{world.part.bridge}.route_localnet=0")
    await world.attached()
    assert on_host("sysctl", "-n", f"net.ipv4.conf.{world.part.bridge}.route_localnet") == "1\n"


async def test_what_was_taken_away_while_no_daemon_ran(web: tuple[World, Pod], own_host: Pod) -> None:
    world, pod = web
    await world.close()
    on_host("nft", "flush", "ruleset")
    on_host("ip", "link", "delete", world.part.bridge)
    await world.open()
    await world.service.recover({pod.sandbox_id})
    async with serving(own_host, 80, "outside"), serving(pod, 80, "web"):
        assert await serves_and_gets_out(pod)


async def test_not_ready_says_why(web: tuple[World, Pod], own_host: Pod) -> None:
    """What cannot be put back is told until it can."""
    world, pod = web
    bridge, subnet = world.part.bridge, str(world.part.subnet)
    on_host("ip", "link", "delete", bridge)
    on_host("ip", "route", "add", subnet, "dev", "up0")
    readiness = await world.service.readiness()
    assert not readiness.ready
    assert f"overlaps the host's route {subnet} dev up0" in readiness.message
    with pytest.raises(FailedPrecondition, match="overlaps"):
        await world.attached(name="fresh")
    on_host("ip", "route", "delete", subnet, "dev", "up0")
    async with serving(own_host, 80, "outside"), serving(pod, 80, "web"):
        async with asyncio.timeout(DEADLINE_S):
            while not (await world.service.readiness()).ready:  # noqa: ASYNC110 # a condition is asked for
                await asyncio.sleep(0.1)
        assert await serves_and_gets_out(pod)


@pytest.mark.parametrize("program", PROGRAMS[1:])
async def test_other_programs_rules_stay(web: tuple[World, Pod], program: str) -> None:
    """What is put back is ours only."""
    world, pod = web
    on_host(program, "-t", "nat", "-N", "THEIRS")
    on_host(program, "-t", "nat", "-A", "POSTROUTING", "-j", "THEIRS")
    breaking(world, pod, program, OF_IPTABLES["masquerading"])
    await world.attached(name="fresh")
    rules = on_host(program, "-t", "nat", "-S")
    assert "-A POSTROUTING -j THEIRS" in rules
    assert rules.count(f"-j PW-{world.part.bridge}-M") == 1


class CountingRunner(PosixProcessRunner):
    """Counts how often the table is looked at."""

    looks = 0

    async def run(self, command: Command) -> Completed:
        self.looks += "list" in command.argv
        return await super().run(command)


async def test_a_storm_of_changes_is_one_look(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CountingRunner()
    monkeypatch.setattr("tests.runtime.network.pods.PosixProcessRunner", lambda: runner)
    world = await make_world()
    await world.attached()
    await asyncio.sleep(2 * upkeep.PAUSE_S)  # what it did itself is looked at
    before = runner.looks
    for number in range(100):
        target = f"{{ 192.0.2.1 . tcp . {number} }}"
        on_host("nft", f"add element ip {world.part.bridge} targets {target}")
        on_host("nft", f"delete element ip {world.part.bridge} targets {target}")
    await asyncio.sleep(2 * upkeep.PAUSE_S)
    assert 1 <= runner.looks - before <= 10


async def test_others_changes_are_none_of_ours(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CountingRunner()
    monkeypatch.setattr("tests.runtime.network.pods.PosixProcessRunner", lambda: runner)
    world = await make_world()
    await world.attached()
    await asyncio.sleep(2 * upkeep.PAUSE_S)
    before = runner.looks
    on_host("ip", "link", "add", "theirs0", "type", "bridge")
    for number in range(20):
        on_host("nft", "add table ip theirs")
        on_host("nft", "delete table ip theirs")
        on_host("ip", "address", "add", f"203.0.113.{number}/24", "dev", "theirs0")
        on_host("ip", "address", "delete", f"203.0.113.{number}/24", "dev", "theirs0")
    on_host("ip", "link", "delete", "theirs0")
    await world.attached()
    await asyncio.sleep(2 * upkeep.PAUSE_S)
    assert runner.looks == before
