"""CSI volumes with a real driver: real calls, real mounts, real files. Nothing of a pod that is gone stays."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from msgspec.structs import replace

from podwright.agent.csi.drivers import CsiDrivers, NoCluster
from podwright.agent.metrics.prometheus import exposition
from podwright.agent.metrics.volumes import VolumeMetrics
from podwright.agent.plugins.protocol import CSI_PLUGIN
from podwright.agent.plugins.watcher import PluginWatcher
from podwright.agent.volumes.manager import VolumeManager
from podwright.agent.volumes.storage.selinux_mounts import SelinuxMounts
from podwright.conformance.patience import patient
from podwright.errors import PodwrightError
from podwright.k8s.objects import (
    CSIVolumeSource,
    LocalObjectReference,
    Pod,
    PodSecurityContext,
    SecretReference,
    SELinuxOptions,
    StorageTokenRequest,
    Volume,
)
from podwright.linux.selinux import DEFAULT_CONTEXTS
from tests.agent.fakes.events import RecordedEvents
from tests.agent.volumes.conftest import mounts_in
from tests.agent.volumes.storage.build import (
    MemoryNode,
    MemoryStorage,
    attachment,
    csi_driver,
    csi_volume,
    name_in_use,
    pod_of,
    pod_with_volumes,
    storage_ports,
)
from tests.harness.csi_driver import EVERYTHING, CsiDriver, Rpc

pytestmark = pytest.mark.root
Condition = Callable[[], object]


class Bench:
    """A volume manager, a driver that has registered, and all around them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.storage = MemoryStorage()
        self.node = MemoryNode()
        self.events = RecordedEvents()
        self.storage.drivers["host.csi.test"] = csi_driver()
        self.driver = CsiDriver(root.parent / "driver", root / "plugins_registry")
        self.metrics = VolumeMetrics()
        self.drivers = CsiDrivers(NoCluster(), metrics=self.metrics)
        self.watcher = PluginWatcher(str(root / "plugins_registry"), {CSI_PLUGIN: self.drivers})
        self.manager = self._new()

    def _new(self) -> VolumeManager:
        found = storage_ports(self.storage, self.node, self.drivers, self.events)
        return VolumeManager(msgspec.structs.replace(found, metrics=self.metrics), str(self.root))

    async def restart(self) -> None:
        """The agent is killed and starts again."""
        await self.manager.close()
        self.manager = self._new()
        await self.manager.recover()

    async def labelled(self) -> None:
        """The host has SELinux from now on."""
        await self.manager.close()
        ports = storage_ports(self.storage, self.node, self.drivers, self.events)
        selinux = SelinuxMounts(file=DEFAULT_CONTEXTS.file)
        self.manager = VolumeManager(msgspec.structs.replace(ports, selinux=selinux), str(self.root))
        await self.manager.recover()

    def calls_with_capability(self) -> list[Any]:
        """The requests that say how a volume is to be mounted."""
        return [each for each in self.driver.requests if hasattr(each, "volume_capability")]

    def published(self, volume: str = "disk", pod: str = "uid-web") -> Path:
        return self.root / f"pods/{pod}/volumes/kubernetes.io~csi/{volume}/mount"

    def is_published(self, volume: str = "disk", pod: str = "uid-web") -> bool:
        return str(self.published(volume, pod)) in mounts_in(self.root)

    def counted(self) -> list[str]:
        """What was measured of volumes, with how often."""
        shown = exposition(self.metrics.families()).decode().splitlines()
        return [line for line in shown if "_count{" in line]

    def left(self) -> list[str]:
        """What is mounted, and what is on disk, beside the agent's own directories."""
        # os.walk passes over what goes meanwhile.
        found = os.walk(self.root / "plugins/kubernetes.io/csi")
        files = [f"{folder}/{name}" for folder, folders, names in found for name in [*names, *_of(folders, "disk")]]
        pods = [str(path) for path in (self.root / "pods").glob("*/volumes")]
        return [*mounts_in(self.root), *files, *pods]


def with_level(pod: Pod, level: str) -> Pod:
    """The pod with processes of that SELinux level."""
    context = PodSecurityContext(se_linux_options=SELinuxOptions(level=level))
    return replace(pod, spec=replace(pod.spec, security_context=context))


def _of(names: list[str], name: str) -> list[str]:
    return [each for each in names if each == name]


async def until(condition: Condition) -> None:
    async with asyncio.timeout(patient(60)):
        while not condition():  # noqa: ASYNC110 # whatever it is, nobody tells
            await asyncio.sleep(0.01)


@pytest.fixture
async def bench(root: Path) -> AsyncIterator[Bench]:
    found = Bench(root)
    await found.manager.recover()
    found.watcher.start()
    async with found.driver:
        await until(lambda: found.driver.told)
        yield found
        await found.watcher.close()
        await found.manager.close()


async def test_a_volume_lives_with_its_pods(bench: Bench) -> None:
    bench.storage.bind(csi_volume(handle="h1", csi={"fs_type": "ext4"}))
    first, second = pod_of("disk", group=4242), pod_of("disk", name="other")
    await bench.manager.wait_mounted(first)
    await bench.manager.wait_mounted(second)
    mounted = bench.manager.mounted("uid-web")["disk"]
    assert mounted.path == str(bench.published())
    assert (bench.driver.folder("h1").stat().st_gid, bench.driver.folder("h1").stat().st_mode & 0o7777) == (
        4242,
        0o2775,
    )
    (bench.published() / "file").write_text("shared")
    assert (bench.published(pod="uid-other") / "file").read_text() == "shared"
    data = json.loads((bench.published().parent / "vol_data.json").read_text())
    assert data | {"attachmentID": ""} == {
        "attachmentID": "",
        "driverName": "host.csi.test",
        "nodeName": "node-a",
        "specVolID": "disk",
        "volumeHandle": "h1",
        "volumeLifecycleMode": "Persistent",
    }
    await bench.manager.bind_subpath(first, "disk", "a/b", container="main", index=0)
    await bench.manager.release(first)
    assert bench.driver.count("NodeUnstageVolume") == 0
    assert (bench.published(pod="uid-other") / "file").exists()
    await bench.manager.release(second)
    await until(lambda: bench.driver.count("NodeUnstageVolume") == 1)
    await until(lambda: not bench.left())
    assert bench.driver.count("NodeStageVolume") == 1
    assert (bench.driver.folder("h1") / "file").read_text() == "shared"


@pytest.mark.parametrize(
    ("mode", "up", "down", "last"),
    [
        ("Filesystem", "volume_mount", "volume_unmount", "unmount_device"),
        ("Block", "map_volume", "unmap_volume", "unmap_device"),
    ],
)
async def test_what_is_done_to_a_volume_is_measured(bench: Bench, mode: str, up: str, down: str, last: str) -> None:
    plugin = "kubernetes.io/csi:host.csi.test"
    bench.storage.bind(csi_volume(handle="h1", volume_mode=mode))
    subject = pod_of("disk", block=mode == "Block")
    bench.driver.failures["NodePublishVolume"] = (grpc.StatusCode.DEADLINE_EXCEEDED, "too slow")
    bench.manager.set_pod(subject)
    await until(lambda: bench.events.seen)
    bench.driver.failures.clear()
    await bench.manager.wait_mounted(subject)
    wanted, there = bench.manager.counts()
    assert wanted == there == {plugin: 1}
    await bench.manager.release(subject)
    await until(lambda: not bench.left())
    operations = "storage_operation_duration_seconds_count"
    calls = "csi_operations_seconds_count"
    named = 'driver_name="host.csi.test",grpc_status_code="{}",method_name="/csi.v1.Node/{}",migrated="false"'
    once = {
        *(
            f'{operations}{{migrated="false",operation_name="{each}",status="success",volume_plugin="{plugin}"}} 1'
            for each in (up, down, last)
        ),
        f'volume_operation_total_seconds_count{{operation_name="overall_volume_mount",plugin_name="{plugin}"}} 1',
        f"{calls}{{{named.format('OK', 'NodeStageVolume')}}} 1",
        f"{calls}{{{named.format('OK', 'NodePublishVolume')}}} 1",
        f"{calls}{{{named.format('OK', 'NodeUnpublishVolume')}}} 1",
        f"{calls}{{{named.format('OK', 'NodeUnstageVolume')}}} 1",
    }
    await until(lambda: once <= set(bench.counted()))
    assert {  # however often it was tried
        f'{operations}{{migrated="false",operation_name="{up}",status="fail-unknown",volume_plugin="{plugin}"}}',
        f"{calls}{{{named.format('DeadlineExceeded', 'NodePublishVolume')}}}",
    } <= {line.rpartition(" ")[0] for line in bench.counted()}


async def test_a_restarted_agent_takes_over(bench: Bench) -> None:
    bench.storage.bind(csi_volume(handle="h1"))
    await bench.manager.wait_mounted(pod_of("disk"))
    inode = bench.published().stat().st_ino
    await bench.restart()
    assert bench.manager.has_volumes("uid-web")
    await bench.manager.wait_mounted(pod_of("disk"))
    assert bench.published().stat().st_ino == inode
    assert len([path for path in mounts_in(bench.root) if path.endswith("/mount")]) == 1
    await bench.restart()
    await bench.manager.retain(())
    await until(lambda: not bench.left())


async def test_a_volume_is_mounted_with_its_label(bench: Bench) -> None:
    """Another label needs another mount, which has to wait until no pod has the first one."""
    bench.storage.drivers["host.csi.test"] = csi_driver(se_linux_mount=True)
    bench.storage.bind(csi_volume(modes=("ReadWriteOncePod",)))
    await bench.labelled()
    first, second = with_level(pod_of("disk"), "s0:c1,c2"), with_level(pod_of("disk", name="other"), "s0:c3,c4")
    await bench.manager.wait_mounted(first)
    option = 'context="system_u:object_r:container_file_t:s0:c1,c2"'
    flags = [list(each.volume_capability.mount.mount_flags) for each in bench.calls_with_capability()]
    assert flags == [[option], [option]]  # of NodeStage and NodePublish
    data = json.loads(bench.published().with_name("vol_data.json").read_text())
    assert data["seLinuxMountContext"] == "system_u:object_r:container_file_t:s0:c1,c2"
    assert bench.manager.mounted("uid-web")["disk"].selinux_relabel is False
    waiting = asyncio.ensure_future(bench.manager.wait_mounted(second))
    await until(lambda: any("conflicting SELinux labels" in message for _, _, message in bench.events.seen))
    assert not bench.is_published(pod="uid-other")
    await bench.manager.release(first)
    await waiting
    assert (bench.driver.count("NodeStageVolume"), bench.driver.count("NodeUnstageVolume")) == (2, 1)
    await bench.manager.release(second)
    await until(lambda: not bench.left())


async def test_the_node_says_what_is_in_use_until_nothing_is_left(bench: Bench) -> None:
    bench.storage.drivers["host.csi.test"] = csi_driver(attach_required=True)
    bench.storage.bind(csi_volume(handle="h1"))
    name, found = attachment("h1", devicePath="/dev/x")
    bench.storage.attachments[name] = found
    waiting = asyncio.ensure_future(bench.manager.wait_mounted(pod_of("disk")))
    await until(lambda: bench.manager.in_use() == (name_in_use("h1"),))
    assert bench.node.changes == 1
    assert bench.driver.count("NodeStageVolume") == 0
    bench.node.attach(name_in_use("h1"))
    await waiting
    staged = next(each for each in bench.driver.requests if hasattr(each, "publish_context"))
    assert dict(staged.publish_context) == {"devicePath": "/dev/x"}
    bench.driver.failures["NodeUnstageVolume"] = (grpc.StatusCode.INTERNAL, "busy")
    await bench.manager.release(pod_of("disk"))
    assert bench.manager.in_use() == (name_in_use("h1"),)
    bench.driver.failures.clear()
    await until(lambda: bench.manager.in_use() == ())
    assert not bench.left()


async def test_a_driver_gets_what_it_asks_for(bench: Bench) -> None:
    bench.driver.capabilities = (*EVERYTHING, Rpc.VOLUME_MOUNT_GROUP)
    bench.storage.drivers["host.csi.test"] = csi_driver(
        pod_info_on_mount=True, token_requests=(StorageTokenRequest(audience="vault"),), requires_republish=True
    )
    bench.storage.secrets = {"stage": {"user": "s"}, "publish": {"user": "p"}}
    secrets = {
        "node_stage_secret_ref": SecretReference(name="stage", namespace="kube"),
        "node_publish_secret_ref": SecretReference(name="publish", namespace="kube"),
        "volume_attributes": {"share": "x"},
    }
    bench.storage.bind(csi_volume(handle="h1", csi=secrets, mount_options=("noatime",), modes=("ReadWriteOncePod",)))
    await bench.manager.wait_mounted(pod_of("disk", group=42, read_only=True))
    stage, publish = [each for each in bench.driver.requests if hasattr(each, "secrets")]
    assert (dict(stage.secrets), dict(publish.secrets)) == ({"user": "s"}, {"user": "p"})
    assert dict(stage.volume_context) == {"share": "x"}
    assert publish.volume_context["csi.storage.k8s.io/pod.name"] == "web"
    assert json.loads(publish.volume_context["csi.storage.k8s.io/serviceAccount.tokens"]) == {
        "vault": {"token": "for web"}
    }
    assert list(publish.volume_capability.mount.mount_flags) == ["noatime"]
    assert publish.volume_capability.mount.volume_mount_group == "42"
    assert publish.volume_capability.access_mode.mode == 6  # SINGLE_NODE_SINGLE_WRITER
    assert publish.readonly
    assert publish.staging_target_path == stage.staging_target_path
    assert bench.manager.mounted("uid-web")["disk"].read_only
    await bench.manager.wait_mounted(pod_of("disk", group=42, read_only=True))
    await until(lambda: bench.driver.count("NodePublishVolume") == 2)
    bench.driver.failures["NodePublishVolume"] = (grpc.StatusCode.INTERNAL, "no token")
    bench.manager.set_pod(pod_of("disk", group=42, read_only=True))
    await until(lambda: "FailedMount" in bench.events.reasons())
    assert bench.is_published()
    bench.driver.failures.clear()
    await bench.manager.release(pod_of("disk"))
    await until(lambda: not bench.left())


async def test_an_inline_volume_belongs_to_its_pod(bench: Bench) -> None:
    bench.storage.secrets["key"] = {"word": "open"}
    source = CSIVolumeSource(
        driver="host.csi.test",
        volume_attributes={"size": "1"},
        node_publish_secret_ref=LocalObjectReference(name="key"),
    )
    subject = pod_with_volumes(Volume(name="own", csi=source))
    bench.manager.set_pod(subject)
    await until(lambda: bench.events.seen)
    assert bench.events.seen[0][2] == (
        'MountVolume.SetUp failed for volume "own" : volume mode "Ephemeral" not supported by driver host.csi.test '
        '(only supports ["Persistent"])'
    )
    bench.storage.drivers["host.csi.test"] = csi_driver(volume_lifecycle_modes=("Ephemeral",), attach_required=True)
    await bench.manager.wait_mounted(subject)
    await bench.restart()
    await bench.manager.wait_mounted(subject)
    assert bench.driver.count("NodeStageVolume") == 0
    assert bench.manager.in_use() == ()
    assert bench.is_published("own")
    await bench.manager.release(subject)
    assert not bench.left()


async def test_a_block_volume_is_a_device(bench: Bench) -> None:
    bench.storage.bind(csi_volume(handle="h1", volume_mode="Block"))
    subject = pod_of("disk", block=True)
    await bench.manager.wait_mounted(subject)
    found = bench.manager.mounted("uid-web")["disk"]
    assert found.is_block
    device = bench.driver.device("h1")
    assert os.path.realpath(found.path) == device
    pinned = bench.root / "plugins/kubernetes.io/csi/volumeDevices/disk/dev/uid-web"
    assert pinned.stat().st_rdev == os.stat(device).st_rdev
    await bench.restart()
    await bench.manager.wait_mounted(subject)
    await bench.manager.release(subject)
    await until(lambda: not bench.left())
    assert bench.driver.count("NodeUnstageVolume") == 1


async def test_a_volume_grows_below_its_pod(bench: Bench) -> None:
    volume = csi_volume(handle="h1", capacity={"storage": "2Gi"})
    bench.storage.bind(volume, capacity={"storage": "2Gi"})
    await bench.manager.wait_mounted(pod_of("disk"))
    assert bench.driver.count("NodeExpandVolume") == 0
    bench.storage.bind(
        volume,
        capacity={"storage": "1Gi"},
        allocated_resources={"storage": "2Gi"},
        allocated_resource_statuses={"storage": "NodeResizePending"},
    )
    bench.manager.set_pod(pod_of("disk"))
    await until(lambda: len(bench.storage.changes) == 2)
    asked = bench.driver.requests[-1]
    assert (asked.capacity_range.required_bytes, asked.volume_path) == (2 << 30, str(bench.published()))
    assert bench.storage.changes[0] == {"allocatedResourceStatuses": {"storage": "NodeResizeInProgress"}}
    assert bench.storage.changes[1]["capacity"] == {"storage": "2Gi"}
    assert "FileSystemResizeSuccessful" in bench.events.reasons()


async def test_a_driver_that_vanishes_and_comes_back(bench: Bench) -> None:
    bench.storage.bind(csi_volume(handle="h1"))
    await bench.driver.stop()
    waiting = asyncio.ensure_future(bench.manager.wait_mounted(pod_of("disk")))
    await until(lambda: "FailedMount" in bench.events.reasons())
    await bench.driver.start()
    await waiting
    await bench.driver.stop()
    await until(lambda: _is_gone(bench))
    releasing = asyncio.ensure_future(bench.manager.release(pod_of("disk")))
    await asyncio.sleep(0.2)
    assert bench.is_published()
    await bench.driver.start()
    await releasing
    await until(lambda: not bench.left())


def _is_gone(bench: Bench) -> bool:
    try:
        bench.drivers.node("host.csi.test")
    except PodwrightError:
        return True
    return False


@pytest.mark.parametrize("method", ["NodeStageVolume", "NodePublishVolume"])
async def test_a_failure_for_good_leaves_nothing(bench: Bench, method: str) -> None:
    bench.storage.bind(csi_volume(handle="h1"))
    bench.driver.failures[method] = (grpc.StatusCode.INVALID_ARGUMENT, "no such volume")
    bench.manager.set_pod(pod_of("disk"))
    await until(lambda: bench.events.seen)
    step = "MountDevice" if method == "NodeStageVolume" else "SetUp"
    wanted = f'MountVolume.{step} failed for volume "disk" : rpc error: code = InvalidArgument desc = no such volume'
    assert bench.events.seen[0] == ("web", "FailedMount", wanted)
    bench.driver.failures.clear()
    await bench.manager.release(pod_of("disk"))
    await until(lambda: not bench.left())


@pytest.mark.parametrize("method", ["NodeStageVolume", "NodePublishVolume"])
async def test_what_a_driver_has_done_and_not_said_is_undone(bench: Bench, method: str) -> None:
    bench.storage.bind(csi_volume(handle="h1"))
    bench.driver.failures[method] = (grpc.StatusCode.DEADLINE_EXCEEDED, "late: nobody knows")
    bench.manager.set_pod(pod_of("disk"))
    await until(lambda: bench.events.seen)
    assert mounts_in(bench.root / "plugins")
    await bench.manager.release(pod_of("disk"))
    await until(lambda: not bench.left())


@pytest.mark.parametrize("method", ["NodeStageVolume", "NodePublishVolume"])
async def test_a_driver_that_hangs_holds_neither_agent_nor_pod(bench: Bench, method: str) -> None:
    bench.storage.bind(csi_volume(handle="h1"))
    bench.driver.hanging.add(method)
    bench.manager.set_pod(pod_of("disk"))
    await until(lambda: bench.driver.count(method))
    bench.driver.hanging.clear()
    await bench.manager.release(pod_of("disk"))
    await until(lambda: not bench.left())
