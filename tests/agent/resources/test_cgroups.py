"""The tree of cgroups on this machine, below a root of the test's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from podwright.agent.resources import cgroupfs
from podwright.agent.resources.cgroup_names import CgroupNames, names_of
from podwright.agent.resources.cgroups import CgroupTree, NoCgroups
from podwright.agent.resources.drivers import CgroupfsDriver, SystemdDriver
from podwright.agent.resources.limits import CgroupLimits, LimitRules
from podwright.agent.resources.protocol import Cgroups
from podwright.errors import FailedPrecondition, Internal, InvalidArgument
from podwright.k8s.objects import Pod, ResourceRequirements
from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost
from podwright.process import Command, Completed, PosixProcessRunner
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod
from tests.harness.scratch import Scratch

MIB = 1 << 20
ROOT_LIMITS = CgroupLimits(memory_bytes=256 * MIB, cpu_shares=1024, pids=500)


class Tree:
    """A tree, and a look at it."""

    def __init__(self, root: str, root_limits: CgroupLimits = ROOT_LIMITS, **rules: Any) -> None:
        self.host = cgroup.detect()
        self.events = RecordedEvents()
        self.names = names_of("cgroupfs", root)
        self.cgroups = CgroupTree(
            self.host, CgroupfsDriver(self.host), self.names, LimitRules(**rules), root_limits, self.events
        )
        self.port: Cgroups = self.cgroups

    def value(self, path: str, controller: str, v1: str, v2: str) -> str:
        """What a limit's file holds."""
        name = v1 if controller in self.host.controllers else v2
        with open(f"{self.host.directory(path, controller)}/{name}", encoding="ascii") as file:
            return file.read().strip()

    def shares(self, path: str) -> str:
        return self.value(path, "cpu", "cpu.shares", "cpu.weight")

    def memory(self, path: str) -> str:
        return self.value(path, "memory", "memory.limit_in_bytes", "memory.max")


@pytest.fixture
def root(scratch: Scratch) -> Iterator[str]:
    """A cgroup of the test's own, gone afterwards."""
    path, host = scratch.part("cgroups").cgroup_parent, cgroup.detect()
    cgroupfs.make(host, path, CgroupLimits())
    yield path
    cgroupfs.remove(host, path)


@asynccontextmanager
async def sleeping_in(tree: Tree, path: str) -> AsyncIterator[asyncio.Task[int]]:
    """A process in the cgroup `path`, in every hierarchy; the task is its exit code."""
    async with AsyncExitStack() as stack:
        process = PosixProcessRunner().start(Command(argv=("sleep", "100"), timeout_s=None))
        ended = asyncio.create_task(process.wait())
        stack.push_async_callback(asyncio.wait, [ended])
        stack.callback(process.kill_group)
        for directory in tree.host.directories(path):
            os.makedirs(directory, exist_ok=True)
            if "/cpuset/" in directory:
                continue  # a new cpuset takes no process before it has processors
            with open(f"{directory}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(process.pid))
        yield ended


def burstable(name: str = "web", cpu: str = "500m") -> Pod:
    needs = ResourceRequirements(requests={"cpu": cpu}, limits={"memory": "64Mi", "cpu": "1"})
    return pod(name, containers=(container(resources=needs),))


@pytest.mark.root
async def test_a_pods_life(root: str) -> None:
    tree = Tree(root, max_pids=50)
    await tree.cgroups.ensure_root()
    of, path = burstable(), f"{root}/kubepods/burstable/poduid-web"
    assert tree.port.parent_of(of) == path
    assert not tree.port.exists(of)
    assert tree.cgroups.found() == frozenset()
    await tree.port.ensure(of)
    await tree.port.ensure(of)
    assert tree.port.exists(of)
    assert tree.cgroups.found() == {"uid-web"}
    assert tree.memory(path) == str(64 * MIB)
    assert tree.shares(path) == ("512" if "cpu" in tree.host.controllers else "20")
    assert tree.value(path, "pids", "pids.max", "pids.max") == "50"
    if "cpu" in tree.host.controllers:
        assert tree.value(path, "cpu", "cpu.cfs_quota_us", "") == "100000"
    if "cpuset" in tree.host.controllers:
        assert tree.value(path, "cpuset", "cpuset.cpus", "")
    await tree.cgroups.reduce_cpu("uid-web")
    assert tree.shares(path) in ("2", "1")
    await tree.port.remove("uid-web")
    await tree.port.remove("uid-web")
    assert tree.cgroups.found() == frozenset()
    assert not any(os.path.exists(directory) for directory in tree.host.directories(path))


@pytest.mark.root
async def test_the_root_and_the_classes(root: str) -> None:
    tree = Tree(root)
    await tree.cgroups.ensure_root()
    assert tree.memory(f"{root}/kubepods") == str(256 * MIB)
    assert tree.value(f"{root}/kubepods", "pids", "pids.max", "pids.max") == "500"
    assert tree.events.reasons() == ["NodeAllocatableEnforced"]
    await tree.cgroups.update_qos([burstable(), burstable("db", "1"), pod()])
    weight = tree.shares(f"{root}/kubepods/burstable")
    assert weight == ("1536" if "cpu" in tree.host.controllers else "59")
    assert tree.shares(f"{root}/kubepods/besteffort") in ("2", "1")
    again = Tree(root)  # as after a restart: pods keep their weight
    await again.cgroups.ensure_root()
    assert tree.shares(f"{root}/kubepods/burstable") == weight


@pytest.mark.root
async def test_a_root_that_is_not_there(root: str) -> None:
    with pytest.raises(FailedPrecondition, match=f"cgroup-root {root}/none doesn't exist"):
        await Tree(f"{root}/none").cgroups.ensure_root()


@pytest.mark.root
async def test_a_root_limit_that_cannot_be_set_is_tried_again(root: str) -> None:
    tree = Tree(root, CgroupLimits(pids=1 << 40))
    await tree.cgroups.ensure_root()
    await tree.cgroups.update_qos([])
    assert tree.events.reasons() == ["FailedNodeAllocatableEnforcement"] * 2
    assert "pids.max" in tree.events.seen[0][2]


@pytest.mark.root
async def test_a_pod_whose_limits_cannot_be_set_has_no_cgroup(root: str) -> None:
    tree = Tree(root, max_pids=1 << 40)
    await tree.cgroups.ensure_root()
    with pytest.raises(Internal, match=r"pids\.max"):
        await tree.port.ensure(burstable())
    assert tree.cgroups.found() == frozenset()


@pytest.mark.root
@pytest.mark.parametrize("after_s", [0, 0.0005, 0.001, 0.002, 0.005])
async def test_a_pass_that_is_cancelled_leaves_all_or_nothing(root: str, after_s: float) -> None:
    tree = Tree(root)
    await tree.cgroups.ensure_root()
    of = burstable()
    making = asyncio.create_task(tree.port.ensure(of))
    await asyncio.sleep(after_s)
    making.cancel()
    await asyncio.wait([making])
    if making.cancelled():
        assert tree.cgroups.found() == frozenset()
    else:
        assert tree.memory(tree.port.parent_of(of)) == str(64 * MIB)


@pytest.mark.root
async def test_leftovers_are_killed_and_nothing_else(root: str) -> None:
    tree = Tree(root)
    await tree.cgroups.ensure_root()
    mine, other = burstable(), burstable("db")
    await tree.port.ensure(mine)
    await tree.port.ensure(other)
    async with (
        sleeping_in(tree, f"{tree.port.parent_of(mine)}/container") as killed,
        sleeping_in(tree, f"{tree.port.parent_of(other)}/container") as spared,
    ):
        await tree.port.remove("uid-web")
        assert await killed == -9
        assert not spared.done()
        assert tree.cgroups.found() == {"uid-db"}
        await tree.cgroups.kill("uid-db")
        assert await spared == -9
        assert tree.cgroups.found() == {"uid-db"}
    await tree.cgroups.kill("uid-none")


@pytest.mark.root
async def test_a_half_made_cgroup_is_found_made_and_removed(root: str) -> None:
    tree = Tree(root)
    await tree.cgroups.ensure_root()
    of = pod()
    first = tree.host.directories(tree.port.parent_of(of))[0]
    os.makedirs(first)
    assert tree.cgroups.found() == {"uid-web"}
    if tree.host.layout != "v2":
        assert not tree.port.exists(of)
    await tree.port.ensure(of)
    assert tree.port.exists(of)
    await tree.port.remove("uid-web")
    assert not os.path.exists(first)


@pytest.mark.root
async def test_a_uid_never_leads_elsewhere(root: str) -> None:
    tree = Tree(root)
    await tree.cgroups.ensure_root()
    with pytest.raises(InvalidArgument):
        await tree.port.remove("x/../../..")
    assert os.path.isdir(tree.host.directories(root)[0])


@pytest.mark.root
async def test_a_shorter_period_needs_its_quota_first(root: str) -> None:
    tree = Tree(root)
    driver, child = CgroupfsDriver(tree.host), f"{root}/child"
    await driver.make(root, CgroupLimits(cpu_quota_us=100_000, cpu_period_us=100_000))
    await driver.make(child, CgroupLimits(cpu_quota_us=50_000, cpu_period_us=100_000))
    await driver.limit(child, CgroupLimits(cpu_quota_us=5_000, cpu_period_us=10_000))
    if "cpu" not in tree.host.controllers:  # v2 takes both in one write, and allows more than the parent has
        assert tree.value(child, "cpu", "", "cpu.max") == "5000 10000"
        return
    assert tree.value(child, "cpu", "cpu.cfs_period_us", "") == "10000"
    assert tree.value(child, "cpu", "cpu.cfs_quota_us", "") == "5000"
    with pytest.raises(OSError, match=r"cpu\.cfs_quota_us"):  # more than its parent has
        await driver.limit(child, CgroupLimits(cpu_quota_us=50_000, cpu_period_us=10_000))


@pytest.mark.root
async def test_v2_alone(scratch: Scratch) -> None:
    """On a hybrid host, its v2 hierarchy serves as one without controllers."""
    found = cgroup.detect()
    if found.unified is None:
        pytest.fail("this host has no v2 hierarchy: mount cgroup2 at /sys/fs/cgroup/unified")
    tree = Tree(scratch.part("v2").cgroup_parent, CgroupLimits())
    tree.host = CgroupHost(layout="v2", unified=found.unified, unified_controllers=found.unified_controllers)
    tree.cgroups = CgroupTree(
        tree.host, CgroupfsDriver(tree.host), tree.names, LimitRules(), CgroupLimits(), RecordedEvents()
    )
    cgroupfs.make(tree.host, tree.names.top, CgroupLimits())
    try:
        of = pod()
        path = tree.cgroups.parent_of(of)
        assert not tree.cgroups.exists(of)
        cgroupfs.make(tree.host, path, CgroupLimits())
        assert tree.cgroups.exists(of)
        assert tree.cgroups.found() == {"uid-web"}
        async with sleeping_in(tree, f"{path}/container") as killed:
            await tree.cgroups.remove("uid-web")
            assert await killed == -9
        assert tree.cgroups.found() == frozenset()
    finally:
        cgroupfs.remove(tree.host, tree.names.top)


def test_v2_passes_controllers_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With files in the place of the kernel's: no host of ours has controllers on v2."""
    for directory in (tmp_path, tmp_path / "a", tmp_path / "a" / "b"):
        directory.mkdir(exist_ok=True)
        (directory / "cgroup.controllers").write_text("cpuset cpu io memory pids rdma")
        (directory / "cgroup.subtree_control").write_text("cpu")
    put: list[str] = []
    monkeypatch.setattr(cgroupfs, "_put", lambda path, text: put.append(f"{os.path.relpath(path, tmp_path)} {text}"))
    host = CgroupHost(layout="v2", unified=str(tmp_path), unified_controllers=frozenset({"cpu", "memory"}))
    cgroupfs.make(host, "/a/b", CgroupLimits(memory_bytes=1))
    wanted = [f"cgroup.subtree_control +{name}" for name in ("cpuset", "memory", "pids", "io")]
    assert put == [*wanted, *(f"a/{text}" for text in wanted), "a/b/memory.max 1"]
    assert cgroupfs.exists(host, "/a/b")
    (tmp_path / "a" / "b" / "cgroup.controllers").write_text("cpu")
    assert not cgroupfs.exists(host, "/a/b")
    assert cgroupfs.has_directory(host, "/a/b")  # as systemd makes a slice that nobody has asked for controllers
    assert not cgroupfs.has_directory(host, "/a/c")


async def test_without_cgroups_per_qos() -> None:
    none: Cgroups = NoCgroups()
    assert none.parent_of(pod()) == ""
    assert none.exists(pod())
    await none.ensure(pod())
    await none.remove("uid-web")


class Recorder:
    """A ProcessRunner that starts nothing."""

    def __init__(self, returncode: int = 0) -> None:
        self.ran: list[str] = []
        self._returncode = returncode

    async def run(self, command: Command) -> Completed:
        self.ran.append(str(command))
        return Completed(returncode=self._returncode, stdout=b"", stderr=b"Unit not found.")

    def start(self, command: Command) -> Any:
        raise AssertionError(command)


async def test_slices_outlast_the_beginning_of_a_shutdown(tmp_path: Path) -> None:
    path, control = "/kubepods.slice", tmp_path / "control"
    host = CgroupHost(layout="v1", controllers={"name=systemd": str(tmp_path / "cgroups")})
    driver = SystemdDriver(host, Recorder(), str(control))
    await driver.make(path, CgroupLimits())
    (file,) = (control / "kubepods.slice.d").iterdir()
    assert file.suffix == ".conf"
    assert file.read_text() == "[Unit]\nDefaultDependencies=no\n"
    file.unlink()
    await driver.make(path, CgroupLimits())
    assert not file.exists(), "what a running slice was loaded from does not change"
    await driver.remove(path)
    assert list(control.iterdir()) == []


async def test_systemd_is_asked_for_slices() -> None:
    host, runner = CgroupHost(layout="none"), Recorder()
    names = CgroupNames(driver="systemd")
    tree = CgroupTree(host, SystemdDriver(host, runner), names, LimitRules(), CgroupLimits(), RecordedEvents())
    assert tree.parent_of(burstable()) == (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poduid_web.slice"
    )
    driver = SystemdDriver(host, runner)
    path = tree.parent_of(burstable())
    await driver.make(path, CgroupLimits(cpu_shares=2))
    await driver.limit(path, CgroupLimits(cpu_shares=4))
    await driver.remove(path)
    name = "kubepods-burstable-poduid_web.slice"
    accounting = "CPUAccounting=yes MemoryAccounting=yes TasksAccounting=yes BlockIOAccounting=yes"
    assert runner.ran == [
        f"systemctl set-property --runtime {name} {accounting} CPUShares=2",
        f"systemctl start {name}",
        f"systemctl set-property --runtime {name} CPUShares=4",
        f"systemctl stop {name}",
    ]
    with pytest.raises(Internal, match=f"systemctl stop {name}: Unit not found"):
        await SystemdDriver(host, Recorder(returncode=5)).remove(path)
