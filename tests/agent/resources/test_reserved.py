"""What the system keeps: which cgroups are limited to what, and where that ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.resources import cgroupfs
from podwright.agent.resources.drivers import CgroupfsDriver
from podwright.agent.resources.limits import CgroupLimits
from podwright.agent.resources.reserved import (
    ReservedCgroup,
    cgroup_path,
    check_reservations,
    enforce,
    reserved_cgroups,
)
from podwright.errors import FailedPrecondition
from podwright.k8s.quantity import parse, parse_nano
from podwright.linux import cgroup
from tests.agent.fakes.events import RecordedEvents
from tests.harness.scratch import Scratch

MIB = 1 << 20


def config(*enforced: str, cpus: str = "", **system: str) -> AgentConfig:
    usual = AgentConfig()
    reserved = replace(
        usual.reserved,
        enforced=enforced,
        cpus=cpus,
        system_nano={name.replace("_", "-"): parse_nano(text) for name, text in system.items()},
        kube_nano={"cpu": parse_nano("250m"), "memory": parse_nano("64Mi")},
        system_cgroup="/system",
        kube_cgroup="kube.slice",
    )
    return replace(usual, reserved=reserved)


def test_all_of_what_is_reserved() -> None:
    found = reserved_cgroups(config("pods", "system-reserved", cpu="500m", memory="100Mi", pid="1000"), "cgroupfs")
    assert found == [
        ReservedCgroup(
            title="System Reserved",
            path="/system",
            limits=CgroupLimits(cpu_shares=512, memory_bytes=100 * MIB, pids=1000, huge_pages={}),
        )
    ]


def test_only_what_can_be_taken_back() -> None:
    levels = ("system-reserved-compressible", "kube-reserved-compressible")
    found = reserved_cgroups(config(*levels, cpu="1", memory="100Mi"), "systemd")
    assert [(each.path, each.limits) for each in found] == [
        ("/system", CgroupLimits(cpu_shares=1024)),
        ("/kube.slice", CgroupLimits(cpu_shares=256)),
    ]


def test_named_cpus_are_the_systems() -> None:
    found = reserved_cgroups(config("system-reserved", "kube-reserved", cpus="0-1", memory="100Mi"), "cgroupfs")
    assert [each.limits.cpu_shares for each in found] == [2048, None]


@pytest.mark.parametrize(
    ("name", "driver", "path"),
    [
        ("/system", "cgroupfs", "/system"),
        ("a/b", "cgroupfs", "/a/b"),
        ("system.slice", "systemd", "/system.slice"),
        ("/a-b.slice", "systemd", "/a.slice/a-b.slice"),
    ],
)
def test_paths(name: str, driver: str, path: str) -> None:
    assert cgroup_path(name, "systemd" if driver == "systemd" else "cgroupfs") == path


def test_more_than_there_is() -> None:
    capacity = {"cpu": parse("2"), "memory": parse("128Mi")}
    check_reservations(capacity, config(memory="64Mi"))
    with pytest.raises(
        FailedPrecondition, match='"memory" has a reservation of 135266304 but capacity of 128Mi'
    ) as found:
        check_reservations(capacity, config(memory="65Mi"))
    assert found.value.message.startswith("invalid Node Allocatable configuration.")


@pytest.fixture
def path(scratch: Scratch) -> Iterator[str]:
    """A cgroup of the test's own, gone afterwards."""
    path, host = scratch.part("cgroups").cgroup_parent, cgroup.detect()
    cgroupfs.make(host, path, CgroupLimits())
    yield path
    cgroupfs.remove(host, path)


@pytest.mark.root
async def test_limits_are_written(path: str) -> None:
    host, events = cgroup.detect(), RecordedEvents()
    wanted = ReservedCgroup(
        title="Kube Reserved", path=path, limits=CgroupLimits(memory_bytes=64 * MIB, cpu_shares=300, pids=77)
    )
    await enforce([wanted], host, CgroupfsDriver(host), events)
    with open(f"{host.directory(path, 'pids')}/pids.max", encoding="ascii") as file:
        assert file.read().strip() == "77"
    assert events.seen == [("", "NodeAllocatableEnforced", f"Updated limits on kube reserved cgroup {path}")]


@pytest.mark.root
async def test_a_cgroup_that_is_not_there_is_an_error(path: str) -> None:
    host, events = cgroup.detect(), RecordedEvents()
    wanted = ReservedCgroup(title="System Reserved", path=f"{path}/nothing", limits=CgroupLimits(pids=77))
    with pytest.raises(FailedPrecondition, match=r"Failed to enforce System Reserved .* has some missing paths"):
        await enforce([wanted], host, CgroupfsDriver(host), events)
    assert events.reasons() == ["FailedNodeAllocatableEnforcement"]
