"""The volume manager on the real thing: mounts, threads, restarts of the agent."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from podwright.agent.volumes import host_paths
from podwright.agent.volumes.manager import VolumeManager
from podwright.agent.volumes.ownership import OwnershipProgress
from podwright.agent.volumes.plans import Plan
from podwright.agent.volumes.setup import set_up
from podwright.conformance.patience import patient
from podwright.k8s.objects import HostPathVolumeSource, Volume
from podwright.linux.mount import read_mounts
from tests.agent.fakes.events import RecordedEvents
from tests.agent.volumes.build import MemoryObjects, pod_with, ports
from tests.agent.volumes.conftest import mounts_in
from tests.agent.volumes.victim import check_set_up, objects, the_pod
from tests.faults.disk import SmallDisk

pytestmark = pytest.mark.root
UID = "uid-web"
NewManager = Callable[..., VolumeManager]


@pytest.fixture
async def new_manager(root: Path) -> AsyncIterator[NewManager]:
    """`new_manager(objects)`: a manager as a started agent has one."""
    managers = []

    def make(getter: MemoryObjects | None = None, events: RecordedEvents | None = None) -> VolumeManager:
        managers.append(VolumeManager(ports(getter or objects("2"), events), str(root)))
        return managers[-1]

    yield make
    for manager in managers:
        await manager.close()


def everything(path: Path) -> dict[str, tuple[int, int, int]]:
    """Who every file below is, and when it was touched last. The markers' directory and all."""
    found = {}
    for folder, names, files in os.walk(path):
        for name in (*names, *files):
            status = os.lstat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = (status.st_dev, status.st_ino, status.st_ctime_ns)
    return found


def mount_ids(root: Path) -> dict[str, int]:
    return {point.target: point.mount_id for point in read_mounts() if point.target.startswith(f"{root}/")}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(patient(60)):
        while not holds():  # noqa: ASYNC110 # files and fakes cannot be waited for
            await asyncio.sleep(0.01)


async def test_a_pod_from_its_first_volume_to_its_last(root: Path, new_manager: NewManager) -> None:
    manager = new_manager()
    await manager.recover()
    await manager.wait_mounted(the_pod())
    check_set_up(root, manager)
    target = await manager.bind_subpath(the_pod(), "settings", "version", container="main", index=3)
    assert target == f"{os.path.realpath(root)}/pods/{UID}/volume-subpaths/settings/main/3"
    assert Path(target).read_text() == "2"
    await manager.release(the_pod())
    assert mounts_in(root / "pods") == []
    await manager.retain(())
    assert os.listdir(root / "pods") == []


async def test_the_root_is_a_shared_mount_so_that_volumes_are(root: Path, new_manager: NewManager) -> None:
    manager = new_manager()
    await manager.recover()
    await manager.wait_mounted(the_pod())
    memory = manager.mounted(UID)["memory"].path
    assert [point.propagation for point in read_mounts() if point.target == memory] == [frozenset({"shared"})]


async def test_a_restarted_agent_touches_nothing(root: Path, new_manager: NewManager) -> None:
    first = new_manager()
    await first.recover()
    await first.wait_mounted(the_pod())
    target = await first.bind_subpath(the_pod(), "disk", "a/b", container="main", index=0)
    await first.close()
    before, ids = everything(root / f"pods/{UID}"), mount_ids(root)
    second = new_manager()
    await second.recover()
    assert second.has_volumes(UID)
    assert second.mounted(UID) == {}
    await second.retain({UID})
    await second.wait_mounted(the_pod())
    assert await second.bind_subpath(the_pod(), "disk", "a/b", container="main", index=0) == target
    assert everything(root / f"pods/{UID}") == before
    assert mount_ids(root) == ids
    assert second.mounted(UID) == first.mounted(UID)


async def test_what_a_gone_pod_had_goes_once_the_sources_are_known(root: Path, new_manager: NewManager) -> None:
    first = new_manager()
    await first.recover()
    await first.wait_mounted(the_pod())
    await first.bind_subpath(the_pod(), "memory", "x", container="main", index=0)
    await first.close()
    second = new_manager()
    await second.recover()
    assert mounts_in(root / "pods") != []
    await second.retain(())
    assert mounts_in(root / "pods") == []
    assert os.listdir(root / "pods") == []
    assert not second.has_volumes(UID)


async def test_release_waits_for_what_is_being_set_up(
    root: Path, new_manager: NewManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, began = threading.Event(), threading.Event()

    def slow(plan: Plan, now_ns: int, progress: OwnershipProgress) -> None:
        began.set()
        assert go_on.wait(patient(60))
        set_up(plan, now_ns, progress)

    monkeypatch.setattr("podwright.agent.volumes.keeper.set_up", slow)
    manager = new_manager()
    manager.set_pod(the_pod())
    await asyncio.to_thread(began.wait, patient(60))
    releasing = asyncio.ensure_future(manager.release(the_pod()))
    await asyncio.sleep(0.05)
    assert not releasing.done()
    go_on.set()
    await releasing
    assert not (root / f"pods/{UID}/volumes").exists()
    assert mounts_in(root) == []


async def test_a_path_that_does_not_answer_holds_nobody_else(
    new_manager: NewManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    real = os.stat

    def stuck(path: str) -> os.stat_result:
        if path == "/dead":
            assert go_on.wait(patient(60))
        return real(path)

    class Os:
        stat = staticmethod(stuck)

    monkeypatch.setattr(host_paths, "os", Os)
    dead = Volume(name="dead", host_path=HostPathVolumeSource(path="/dead", type="Directory"))
    manager = new_manager()
    stuck_pods = [pod_with(dead, name=f"stuck{number}") for number in range(20)]
    try:
        for each in stuck_pods:
            manager.set_pod(each)
        await manager.wait_mounted(the_pod())
        assert manager.mounted("uid-stuck1") == {}
        async with asyncio.timeout(patient(60)):
            await asyncio.gather(*(manager.release(each) for each in (the_pod(), *stuck_pods)))
    finally:
        go_on.set()


async def test_a_full_disk_is_named_and_running_pods_keep_their_files(
    root: Path, tmp_path: Path, new_manager: NewManager
) -> None:
    disk = SmallDisk(tmp_path / "small", 8)
    getter, events = objects("1"), RecordedEvents()
    manager = VolumeManager(ports(getter, events), str(disk.path))
    try:
        await manager.wait_mounted(the_pod())
        disk.fill()
        getter.put(objects("2").config_maps["settings"])
        manager.set_pod(the_pod())
        await until(lambda: bool(events.seen))
        assert events.seen[0][1] == "FailedMount"
        assert "No space left on device" in events.seen[0][2]
        version = Path(manager.mounted(UID)["settings"].path, "version")
        assert version.read_text() == "1"
        disk.free()
        await until(lambda: version.read_text() == "2")
        await manager.release(the_pod())
    finally:
        await manager.close()
        disk.close()


async def test_modes_on_the_way_to_the_volumes_are_the_kubelets(root: Path, new_manager: NewManager) -> None:
    manager = new_manager()
    await manager.recover()
    await manager.wait_mounted(the_pod())
    pod = root / f"pods/{UID}"
    modes = {
        name: stat.S_IMODE((pod / name).stat().st_mode)
        for name in (".", "volumes", "volumes/kubernetes.io~secret", "volumes/kubernetes.io~secret/keys")
    }
    assert modes == {
        ".": 0o750,
        "volumes": 0o750,
        "volumes/kubernetes.io~secret": 0o755,
        "volumes/kubernetes.io~secret/keys": 0o3777,
    }
