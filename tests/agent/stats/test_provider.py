"""What a runtime does not tell is made up for, and what is measured is shared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from podwright.agent.runtime.records import (
    CriContainerState,
    CriContainerStatus,
    CriSandboxState,
    FilesystemSpace,
    ObservedPod,
    SandboxStatus,
)
from podwright.agent.stats.provider import HostStats, StatsPorts, StatsSettings
from podwright.agent.stats.sharing import FRESH_S
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError, Unavailable, Unimplemented, Unknown
from podwright.k8s import codec
from podwright.k8s.objects import Pod
from podwright.linux.cgroup import CgroupHost
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.agent.stats.usage import volume_usage

POD = codec.from_document({"metadata": {"name": "web", "namespace": "default", "uid": "u-1"}, "spec": {}}, Pod)
SANDBOX = SandboxStatus(
    id="s-1",
    pod_uid="u-1",
    pod_name="web",
    pod_namespace="default",
    attempt=0,
    state=CriSandboxState.READY,
    created_at_ns=10**18,
)
OBSERVED = ObservedPod(
    uid="u-1",
    name="web",
    namespace="default",
    sandboxes=(SANDBOX,),
    containers=(
        CriContainerStatus(
            id="c-1",
            name="main",
            sandbox_id="s-1",
            restart_count=0,
            state=CriContainerState.RUNNING,
            created_at_ns=10**18,
        ),
        CriContainerStatus(
            id="c-0", name="main", sandbox_id="s-1", restart_count=0, state=CriContainerState.EXITED, created_at_ns=1
        ),
    ),
)


def container(container_id: str = "c-1") -> api.ContainerStats:
    return api.ContainerStats(
        attributes=api.ContainerAttributes(id=container_id, metadata=api.ContainerMetadata(name="main")),
        cpu=api.CpuUsage(timestamp=10**18, usage_core_nano_seconds=api.UInt64Value(value=5)),
        memory=api.MemoryUsage(timestamp=10**18, working_set_bytes=api.UInt64Value(value=7)),
        writable_layer=api.FilesystemUsage(
            timestamp=10**18,
            fs_id=api.FilesystemIdentifier(mountpoint="/no/such/place"),
            used_bytes=api.UInt64Value(value=3),
        ),
    )


def sandbox() -> api.PodSandboxStats:
    return api.PodSandboxStats(
        attributes=api.PodSandboxAttributes(id="s-1"),
        linux=api.LinuxPodSandboxStats(
            cpu=api.CpuUsage(timestamp=10**18, usage_core_nano_seconds=api.UInt64Value(value=50)),
            memory=api.MemoryUsage(timestamp=10**18, working_set_bytes=api.UInt64Value(value=70)),
            process=api.ProcessUsage(process_count=api.UInt64Value(value=2)),
            containers=[container(), container("c-0"), container("unknown")],
        ),
    )


class Runtime(FakeRuntime):
    """Answers with what a test gives, or fails with it."""

    listed: list[api.PodSandboxStats] | PodwrightError
    one: api.PodSandboxStats | PodwrightError
    asked = 0

    async def sandbox_stats(self) -> list[api.PodSandboxStats]:
        self.asked += 1
        await asyncio.sleep(0.01)
        if isinstance(self.listed, PodwrightError):
            raise self.listed
        return self.listed

    async def stats_of_sandbox(self, sandbox_id: str) -> api.PodSandboxStats:
        if isinstance(self.one, PodwrightError):
            raise self.one
        return self.one

    async def container_stats(self) -> list[api.ContainerStats]:
        return [container(), container("c-0")]

    images_at, layers_at = "/", ""

    async def filesystems(self) -> tuple[list[FilesystemSpace], list[FilesystemSpace]]:
        images, layers = (
            [FilesystemSpace(mountpoint=place, used_bytes=5, inodes_used=6)] if place else []
            for place in (self.images_at, self.layers_at)
        )
        return images, layers


class Scene:
    """A provider over one pod."""

    def __init__(self, directory: Path, cgroups: Mapping[str, str]) -> None:
        self.clock = VirtualClock()
        self.runtime = Runtime(self.clock)
        self.runtime.listed = [sandbox()]
        self.runtime.one = sandbox()
        folder = directory / "cgroup" / "pod"
        folder.mkdir(parents=True)
        for name, text in cgroups.items():
            (folder / name).write_text(text)
        host = CgroupHost(
            layout="v2", unified=str(directory / "cgroup"), unified_controllers=frozenset({"cpu", "memory"})
        )
        self.provider = HostStats(
            StatsPorts(
                runtime=self.runtime,
                images=self.runtime,
                clock=self.clock,
                host=host,
                observed=lambda: [OBSERVED],
                pods=lambda: [POD],
                cgroup_of=lambda _: "/pod",
                pod_directory=lambda uid: str(directory / uid),
                volumes=volume_usage({}, self.clock, 60.0),
            ),
            StatsSettings(
                node_name="n",
                root=str(directory),
                log_root=str(directory / "logs"),
                with_pressure=False,
                parts=lambda: {"pods": "/pod", "misc": "", "runtime": "/none"},
            ),
        )


CGROUP = {"cpu.stat": "usage_usec 1\n", "memory.current": "900\n", "memory.stat": "inactive_file 100\n"}


def test_what_the_runtime_tells(tmp_path: Path) -> None:
    async def work() -> None:
        scene = Scene(tmp_path, CGROUP)
        (pod,) = await scene.provider.pods()
        assert pod.cpu is not None
        assert pod.memory is not None
        assert (pod.cpu.usage_core_nano_seconds, pod.memory.working_set_bytes) == (50, 70)
        assert pod.process_stats is not None
        (main,) = pod.containers  # neither the one that has ended nor an unknown one
        assert main.rootfs is not None
        assert (main.rootfs.used_bytes, main.rootfs.capacity_bytes) == (3, None)  # a place that cannot be seen here
        await scene.provider.close()

    run_virtual(work())


def test_a_runtime_without_stats_of_pods(tmp_path: Path) -> None:
    async def work() -> None:
        scene = Scene(tmp_path, CGROUP)
        scene.runtime.listed = Unimplemented("no such method")
        (pod,) = await scene.provider.pods()
        assert pod.cpu is not None
        assert pod.memory is not None
        assert (pod.cpu.usage_core_nano_seconds, pod.memory.working_set_bytes) == (1000, 800)  # the cgroup's
        assert pod.network is None
        assert [each.name for each in pod.containers] == ["main"]
        await scene.provider.close()

    run_virtual(work())


def test_a_pod_without_a_cgroup_is_the_sum_of_its_containers(tmp_path: Path) -> None:
    async def work() -> None:
        scene = Scene(tmp_path, {})
        scene.runtime.listed = Unimplemented("no such method")
        (pod,) = await scene.provider.pods_cpu_and_memory()
        assert pod.memory is not None
        assert pod.memory.working_set_bytes == 7
        assert pod.ephemeral_storage is None
        await scene.provider.close()

    run_virtual(work())


def test_one_pod_that_ends_costs_no_other(tmp_path: Path) -> None:
    async def work() -> None:
        scene = Scene(tmp_path, CGROUP)
        scene.runtime.listed = Unknown("cgroups: cgroup deleted")
        (pod,) = await scene.provider.pods()
        assert pod.process_stats is not None
        scene.runtime.one = Unknown("cgroups: cgroup deleted")
        assert await scene.provider.pods(fresh=True) == ()
        scene.runtime.listed = Unavailable("the runtime is away")
        with pytest.raises(Unavailable):
            await scene.provider.pods(fresh=True)
        await scene.provider.close()

    run_virtual(work())


def test_scrapes_share_a_measurement(tmp_path: Path) -> None:
    async def work() -> None:
        scene = Scene(tmp_path, CGROUP)
        await asyncio.gather(*(scene.provider.pods() for _ in range(20)))
        await scene.provider.pods()
        assert scene.runtime.asked == 1
        await scene.provider.pods(fresh=True)
        assert scene.runtime.asked == 2
        await asyncio.sleep(FRESH_S + 0.1)
        await scene.provider.pods()
        assert scene.runtime.asked == 3
        await scene.provider.close()

    run_virtual(work())


def test_the_node(tmp_path: Path) -> None:
    async def work() -> None:
        scene = Scene(tmp_path, CGROUP)
        node = await scene.provider.node()
        assert [each.name for each in node.system_containers] == ["pods"]
        assert node.runtime is not None
        assert node.runtime.image_fs is not None
        assert node.runtime.image_fs.used_bytes == 5
        assert (node.runtime.image_fs.capacity_bytes or 0) > 0
        filesystems = await scene.provider.filesystems()
        assert filesystems.images == filesystems.containers or not filesystems.dedicated_containers
        light = await scene.provider.node_cpu_and_memory()
        assert (light.fs, light.network) == (None, None)
        await scene.provider.close()

    run_virtual(work())


@pytest.mark.parametrize(
    ("images", "layers", "dedicated"),
    [
        ("{root}", "", (False, False)),
        ("{root}", "{root}", (False, False)),
        ("/proc", "", (True, False)),
        ("/proc", "/proc/self", (True, False)),
        ("/proc", "{root}", (True, True)),
        ("{root}", "/proc", (True, True)),
        ("/proc", "/sys", (True, True)),
    ],
)
def test_filesystems_of_their_own(images: str, layers: str, dedicated: tuple[bool, bool], tmp_path: Path) -> None:
    async def work() -> None:
        scene = Scene(tmp_path, CGROUP)
        scene.runtime.images_at, scene.runtime.layers_at = images.format(root=tmp_path), layers.format(root=tmp_path)
        found = await scene.provider.filesystems()
        assert (found.dedicated_images, found.dedicated_containers) == dedicated
        await scene.provider.close()

    run_virtual(work())
