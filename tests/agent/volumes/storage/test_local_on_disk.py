"""local, NFS and hostPath PersistentVolumes on real directories, devices and mounts."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from podwright.agent.volumes.manager import VolumeManager
from podwright.agent.volumes.storage import nfs
from podwright.agent.volumes.storage.plans import NfsPlan
from podwright.conformance.patience import patient
from podwright.errors import FailedPrecondition, InvalidArgument, Unavailable
from podwright.k8s.objects import (
    HostPathVolumeSource,
    ISCSIPersistentVolumeSource,
    LocalVolumeSource,
    NFSVolumeSource,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PersistentVolume,
    VolumeNodeAffinity,
)
from tests.agent.fakes.events import RecordedEvents
from tests.agent.volumes.conftest import mounts_in
from tests.agent.volumes.storage.build import MemoryNode, MemoryStorage, persistent, pod_of, storage_ports
from tests.agent.volumes.storage.test_csi_on_disk import until
from tests.harness.csi_driver import loop_device

pytestmark = pytest.mark.root
DISK_BYTES = 32 << 20
FAKE_MOUNT = """#!/bin/sh
echo "$@" > {folder}/arguments
case "$1" in bad:*) echo no such export >&2; exit 32;; esac
exec mount -t tmpfs none "$2"
"""


class Bench:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.storage, self.node, self.events = MemoryStorage(), MemoryNode(), RecordedEvents()
        self.manager = VolumeManager(storage_ports(self.storage, self.node, events=self.events), str(root))

    def path(self, plugin: str, uid: str = "uid-web") -> Path:
        return self.root / f"pods/{uid}/volumes/kubernetes.io~{plugin}/disk"

    async def problem(self, volume: PersistentVolume) -> str:
        """The first event of a pod that uses it."""
        self.storage.bind(volume)
        self.manager.set_pod(pod_of("disk"))
        await until(lambda: self.events.seen)
        return self.events.seen[0][2]


@pytest.fixture
async def bench(root: Path) -> AsyncIterator[Bench]:
    found = Bench(root)
    await found.manager.recover()
    yield found
    await found.manager.close()


@pytest.fixture
def device(root: Path) -> Iterator[str]:
    with loop_device(root.parent / "disk.img", DISK_BYTES) as path:
        yield path


def losetup(*arguments: str) -> str:
    return subprocess.check_output(["losetup", *arguments], text=True, timeout=patient(60))


def local(path: object, **spec: Any) -> PersistentVolume:
    return persistent(local=LocalVolumeSource(path=str(path)), **spec)


async def test_a_directory_is_bound_and_given_to_the_first_group(bench: Bench) -> None:
    data = bench.root.parent / "data"
    data.mkdir()
    bench.storage.bind(local(data))
    await bench.manager.wait_mounted(pod_of("disk", group=42))
    assert str(bench.path("local-volume")) in mounts_in(bench.root)
    assert data.stat().st_gid == 42
    await bench.manager.wait_mounted(pod_of("disk", name="other", group=43, read_only=True))
    assert data.stat().st_gid == 42
    assert bench.events.reasons("other") == ["AlreadyMountedVolume"]
    with pytest.raises(OSError, match="Read-only"):
        (bench.path("local-volume", "uid-other") / "x").write_text("")
    (bench.path("local-volume") / "kept").write_text("x")
    await bench.manager.release(pod_of("disk"))
    await bench.manager.release(pod_of("disk", name="other"))
    assert not mounts_in(bench.root)
    assert (data / "kept").exists()


async def test_a_device_becomes_a_filesystem_once(bench: Bench, device: str) -> None:
    shared = bench.root / "plugins/kubernetes.io/local-volume/mounts/disk"
    for content in ("", "written"):
        bench.storage.bind(local(device))
        await bench.manager.wait_mounted(pod_of("disk"))
        await bench.manager.wait_mounted(pod_of("disk", name="other"))
        file = bench.path("local-volume") / "file"
        assert (file.read_text() if file.exists() else "") == content
        file.write_text("written")
        assert (bench.path("local-volume", "uid-other") / "file").read_text() == "written"
        await bench.manager.release(pod_of("disk"))
        assert str(shared) in mounts_in(bench.root)
        await bench.manager.release(pod_of("disk", name="other"))
        assert not mounts_in(bench.root)
        assert not shared.exists()
    wrong = persistent(local=LocalVolumeSource(path=device, fs_type="xfs"))
    assert await bench.problem(wrong) == (
        'MountVolume.MountDevice failed for volume "disk" : '
        'failed to mount the volume as "xfs", it already contains ext4'
    )


async def test_a_device_as_a_device(bench: Bench, device: str) -> None:
    bench.storage.bind(local(device, volume_mode="Block"))
    subject = pod_of("disk", block=True)
    await bench.manager.wait_mounted(subject)
    link = bench.root / "pods/uid-web/volumeDevices/kubernetes.io~local-volume/disk"
    assert bench.manager.mounted("uid-web")["disk"].path == str(link)
    assert stat.S_ISBLK(link.stat().st_mode)
    pinned = bench.root / "plugins/kubernetes.io~local-volume/volumeDevices/disk/uid-web"
    assert pinned.stat().st_rdev == os.stat(device).st_rdev
    kept = losetup("-f", "--show", str(pinned)).strip()  # as a kubelet does
    await bench.manager.release(subject)
    assert f"{kept}:" not in losetup("-a")
    assert not mounts_in(bench.root)
    assert not link.exists()
    assert not pinned.parent.exists()


async def test_what_cannot_be_is_said_in_the_kubelets_words(bench: Bench) -> None:
    term = NodeSelectorTerm(match_expressions=(NodeSelectorRequirement(key="rack", operator="In", values=("r2",)),))
    elsewhere = VolumeNodeAffinity(required=NodeSelector(node_selector_terms=(term,)))
    problem = await bench.problem(local("/", node_affinity=elsewhere))
    assert problem == 'MountVolume.NodeAffinity check failed for volume "disk" : no matching NodeSelectorTerms'
    await bench.manager.release(pod_of("disk"))
    bench.events.seen.clear()
    problem = await bench.problem(local("/dev/null"))
    assert problem.endswith('failed for volume "disk" : only directory and block device are supported')


async def test_a_claim_that_cannot_be_processed_is_no_wait(bench: Bench) -> None:
    with pytest.raises(Unavailable) as raised:
        await bench.manager.wait_mounted(pod_of("disk"))
    assert str(raised.value) == (
        "Unable to attach or mount volumes: unmounted volumes=[disk], unattached volumes=[], failed to process "
        'volumes=[disk]: error processing PVC default/disk: failed to fetch PVC from API server: "disk" not found'
    )
    iscsi = ISCSIPersistentVolumeSource(iqn="q", lun=0, target_portal="p")
    bench.storage.bind(persistent(iscsi=iscsi))
    with pytest.raises(Unavailable, match="no volume plugin matched: PersistentVolume disk"):
        await bench.manager.wait_mounted(pod_of("disk"))
    bench.storage.bind(local(bench.root.parent))
    await bench.manager.wait_mounted(pod_of("disk"))
    bench.storage.is_down = True
    await bench.manager.wait_mounted(pod_of("disk"))
    assert bench.events.seen == []


async def test_a_host_path_is_used_as_it_is(bench: Bench) -> None:
    path = bench.root.parent / "host"
    bench.storage.bind(persistent(host_path=HostPathVolumeSource(path=str(path), type="DirectoryOrCreate")))
    await bench.manager.wait_mounted(pod_of("disk", read_only=True, group=42))
    found = bench.manager.mounted("uid-web")["disk"]
    assert (found.path, found.read_only, path.stat().st_gid) == (str(path), True, 0)


async def test_nfs_is_mounted_by_its_program(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    program = bench.root.parent / "mount.nfs"
    program.write_text(FAKE_MOUNT.format(folder=bench.root.parent))
    program.chmod(0o755)
    monkeypatch.setattr(nfs, "find_executable", lambda name: str(program))
    share = persistent(nfs=NFSVolumeSource(server="host", path="/x"), mount_options=("vers=4", "soft"))
    bench.storage.bind(share)
    await bench.manager.wait_mounted(pod_of("disk", read_only=True))
    target = bench.path("nfs")
    assert (bench.root.parent / "arguments").read_text() == f"host:/x {target} -o vers=4,soft,ro\n"
    assert str(target) in mounts_in(bench.root)
    await bench.manager.release(pod_of("disk"))
    assert not mounts_in(bench.root)
    problem = await bench.problem(persistent(nfs=NFSVolumeSource(server="bad", path="/x")))
    assert problem == 'MountVolume.SetUp failed for volume "disk" : mount failed: exit status 32: no such export'
    assert not target.exists()


async def test_without_the_program_there_is_no_nfs(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise FailedPrecondition(f"the program {name} is not installed")

    monkeypatch.setattr(nfs, "find_executable", missing)
    problem = await bench.problem(persistent(nfs=NFSVolumeSource(server="host", path="/x")))
    assert problem.endswith("mount.nfs is not installed (install nfs-common on the node)")


@pytest.mark.parametrize(
    ("server", "source"), [("h", "h:/x"), ("10.0.0.1", "10.0.0.1:/x"), ("fd00::1", "[fd00::1]:/x")]
)
def test_servers_of_nfs(server: str, source: str) -> None:
    plan = NfsPlan(name="disk", directory="/p", uid="u", server=server, path="/x")
    assert nfs.source_of(plan) == source


def test_a_server_is_no_option() -> None:
    with pytest.raises(InvalidArgument):
        nfs.source_of(NfsPlan(name="disk", directory="/p", uid="u", server="-o", path="/x"))
