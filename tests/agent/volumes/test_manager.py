"""The volume manager: what is set up when, what is tried again, and what is said about it. Virtual time."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from podwright.agent.metrics.volumes import VolumeMetrics
from podwright.agent.volumes.manager import VolumeManager
from podwright.agent.workers.ports import Volumes
from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError, Unimplemented
from podwright.k8s.objects import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    ISCSIVolumeSource,
    ObjectFieldSelector,
    PersistentVolumeClaimVolumeSource,
    Pod,
    Volume,
)
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.agent.volumes.build import InlineWork, MemoryObjects, config_map, pod_with, ports

SETTINGS = Volume(name="settings", config_map=ConfigMapVolumeSource(name="cm"))
DISK = Volume(name="disk", empty_dir=EmptyDirVolumeSource())
UID = "uid-web"


class Bench:
    """A manager with everything around it."""

    def __init__(self, root: Path, *objects: object) -> None:
        self.root = root
        self.objects = MemoryObjects(*objects)  # type: ignore[arg-type] # ConfigMaps and Secrets
        self.events = RecordedEvents()
        self.work = InlineWork()
        clock = VirtualClock()
        self.metrics = VolumeMetrics()
        found = msgspec.structs.replace(ports(self.objects, self.events, clock), metrics=self.metrics)
        self.manager = VolumeManager(found, str(root), self.work)
        self.port: Volumes = self.manager  # a pod's worker sees it so

    def counted(self) -> dict[str, float]:
        """What was measured, by the names of metric, operation, outcome and plug-in."""
        return {
            " ".join(
                [f"{family.name}_count", *(text for name, text in sample.labels.items() if name != "migrated")]
            ): sample.value
            for family in self.metrics.families()
            for sample in family.samples
            if sample.suffix == "_count"
        }

    def file(self, name: str, volume: str = "settings", plugin: str = "configmap") -> Path:
        return self.root / f"pods/{UID}/volumes/kubernetes.io~{plugin}/{volume}/{name}"


def run(root: Path, test: Callable[[Bench], Awaitable[None]], *objects: object) -> None:
    async def with_bench() -> None:
        bench = Bench(root, *objects)
        try:
            await test(bench)
        finally:
            await bench.manager.close()

    run_virtual(with_bench())


def now() -> float:
    return round(asyncio.get_running_loop().time(), 3)


async def settle() -> None:
    """Let everything that is due now happen; half a second of virtual time passes at most."""
    await asyncio.sleep(0.1)


def test_a_pod_waits_for_all_volumes_that_its_containers_mount(tmp_path: Path) -> None:
    host = Volume(name="host", host_path=HostPathVolumeSource(path=str(tmp_path), type="Directory"))
    image = Volume(name="image", image=ImageVolumeSource(reference="registry.example/x:1"))
    subject = pod_with(SETTINGS, DISK, host, image)
    unused = Volume(name="unused", config_map=ConfigMapVolumeSource(name="none"))
    subject = msgspec.structs.replace(
        subject, spec=msgspec.structs.replace(subject.spec, volumes=(*subject.spec.volumes, unused))
    )

    async def test(bench: Bench) -> None:
        assert not bench.manager.has_volumes(UID)
        await bench.manager.wait_mounted(subject)
        mounted = bench.manager.mounted(UID)
        assert sorted(mounted) == ["disk", "host", "image", "settings"]
        assert mounted["settings"].path == str(bench.file("a").parent)
        assert mounted["settings"].read_only
        assert not mounted["disk"].read_only
        assert mounted["host"].path == str(tmp_path)
        assert mounted["image"].image == "registry.example/x:1"
        assert bench.file("a").read_text() == "1"
        assert bench.manager.has_volumes(UID)
        assert bench.events.seen == []

    run(tmp_path, test, config_map("cm", a="1"))


def test_what_is_done_to_volumes_is_measured(tmp_path: Path) -> None:
    """The missing ConfigMap is a failed mount. The missing directory is none of a claim's that is unknown."""
    claim = Volume(name="claim", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="none"))

    async def test(bench: Bench) -> None:
        bench.manager.set_pod(pod_with(SETTINGS, DISK, claim))
        await settle()
        bench.objects.put(config_map("cm", a="1"))
        bench.manager.set_pod(pod_with(SETTINGS, DISK, claim))
        await settle()
        await bench.manager.release(pod_with(SETTINGS, DISK, claim))
        operations = "storage_operation_duration_seconds_count"
        assert bench.counted() == {
            f"{operations} volume_mount fail-unknown kubernetes.io/configmap": 1,
            f"{operations} volume_mount success kubernetes.io/configmap": 1,
            f"{operations} volume_mount success kubernetes.io/empty-dir": 1,
            f"{operations} volume_unmount success kubernetes.io/configmap": 1,
            f"{operations} volume_unmount success kubernetes.io/empty-dir": 1,
            "volume_operation_total_seconds_count overall_volume_mount kubernetes.io/configmap": 1,
            "volume_operation_total_seconds_count overall_volume_mount kubernetes.io/empty-dir": 1,
        }

    run(tmp_path, test)


def test_a_pod_without_volumes_touches_nothing(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.manager.wait_mounted(pod(volumes=(DISK,), containers=(container(),)))
        assert list(tmp_path.iterdir()) == []
        assert not bench.manager.has_volumes(UID)
        assert bench.manager.mounted(UID) == {}

    run(tmp_path, test)


def test_what_is_missing_is_tried_again_with_growing_pauses_and_named(tmp_path: Path) -> None:
    tries: list[float] = []

    async def test(bench: Bench) -> None:
        real = bench.objects.config_map

        async def counted(namespace: str, name: str) -> object:
            tries.append(now())
            return await real(namespace, name)

        bench.objects.config_map = counted  # type: ignore[assignment,method-assign] # counts the tries
        with pytest.raises(DeadlineExceeded) as caught:
            await bench.manager.wait_mounted(pod_with(SETTINGS, DISK))
        assert now() == 123.0
        assert str(caught.value) == (
            "Unable to attach or mount volumes: unmounted volumes=[settings], unattached volumes=[], "
            'failed to process volumes=[]: context deadline exceeded: settings: configmap "cm" not found'
        )
        assert tries == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5]
        message = 'MountVolume.SetUp failed for volume "settings" : configmap "cm" not found'
        assert bench.events.seen == [("web", "FailedMount", message)] * len(tries)
        await asyncio.sleep(500)
        assert tries[8:] == [127.5, 249.5, 371.5, 493.5, 615.5]

    run(tmp_path, test)


def test_an_object_that_appears_is_found_by_the_next_try(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        waiting = asyncio.ensure_future(bench.manager.wait_mounted(pod_with(SETTINGS)))
        await asyncio.sleep(40)
        bench.objects.put(config_map("cm", a="1"))
        await waiting
        assert now() == 63.5

    run(tmp_path, test)


def test_what_takes_too_long_is_named(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.work.takes_s = 500
        with pytest.raises(DeadlineExceeded, match="disk: it is still being set up"):
            await bench.manager.wait_mounted(pod_with(DISK))
        assert len(bench.work.keys) == 1

    run(tmp_path, test)


def test_a_kind_that_cannot_be_done_fails_at_once(tmp_path: Path) -> None:
    share = Volume(name="share", iscsi=ISCSIVolumeSource(iqn="iqn", lun=0, target_portal="p"))

    async def test(bench: Bench) -> None:
        with pytest.raises(Unimplemented) as caught:
            await bench.manager.wait_mounted(pod_with(share, DISK))
        assert "failed to process volumes=[share]" in str(caught.value)
        assert 'volume "share" is of kind iscsi' in str(caught.value)
        assert now() == 0

    run(tmp_path, test)


def test_a_pass_brings_changes_and_without_one_nothing_is_done(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        subject = pod_with(SETTINGS, DISK)
        await bench.manager.wait_mounted(subject)
        assert len(bench.work.keys) == 2
        await bench.manager.wait_mounted(subject)
        await settle()
        assert len(bench.work.keys) == 2
        bench.objects.put(config_map("cm", a="2"))
        await bench.manager.wait_mounted(subject)
        await settle()
        assert bench.file("a").read_text() == "2"

    run(tmp_path, test, config_map("cm", a="1"))


@pytest.mark.root
def test_labels_that_change_are_seen(root: Path) -> None:
    labels = DownwardAPIVolumeFile(path="labels", field_ref=ObjectFieldSelector(field_path="metadata.labels"))
    volume = Volume(name="d", downward_api=DownwardAPIVolumeSource(items=(labels,)))

    async def test(bench: Bench) -> None:
        await bench.manager.wait_mounted(pod_with(volume, labels={"a": "1"}))
        assert bench.file("labels", "d", "downward-api").read_text() == 'a="1"'
        bench.manager.set_pod(pod_with(volume, labels={"a": "2"}))
        await settle()
        assert bench.file("labels", "d", "downward-api").read_text() == 'a="2"'

    run(root, test)


def test_an_immutable_object_is_read_once(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.manager.wait_mounted(pod_with(SETTINGS))
        bench.objects.put(config_map("cm", a="2"))
        await bench.manager.wait_mounted(pod_with(SETTINGS))
        await settle()
        assert bench.file("a").read_text() == "1"
        assert bench.objects.reads == 1

    run(tmp_path, test, config_map("cm", immutable=True, a="1"))


def test_a_running_pod_keeps_its_files_when_an_object_goes(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.manager.wait_mounted(pod_with(SETTINGS))
        bench.objects.config_maps.clear()
        bench.manager.set_pod(pod_with(SETTINGS))
        await settle()
        assert bench.events.reasons() == ["FailedMount"]
        await bench.manager.wait_mounted(pod_with(SETTINGS))
        assert now() < 1
        assert bench.file("a").read_text() == "1"
        assert list(bench.manager.mounted(UID)) == ["settings"]

    run(tmp_path, test, config_map("cm", a="1"))


def test_a_volume_that_somebody_removed_is_set_up_again(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        subject = pod_with(SETTINGS)
        await bench.manager.wait_mounted(subject)
        bench.file("..data").unlink()
        await bench.manager.wait_mounted(subject)
        await settle()
        assert bench.file("a").read_text() == "1"

    run(tmp_path, test, config_map("cm", a="1"))


@pytest.mark.parametrize("content", [{"..x": "1"}, {"a/b": "1", "a": "2"}])
def test_files_that_cannot_be_are_a_failure_like_any(tmp_path: Path, content: dict[str, str]) -> None:
    async def test(bench: Bench) -> None:
        with pytest.raises(DeadlineExceeded, match=r"settings: (invalid path|a cannot be a file)"):
            await bench.manager.wait_mounted(pod_with(SETTINGS))

    run(tmp_path, test, config_map("cm", content))


def test_a_path_with_a_nul_is_a_failure_like_any(tmp_path: Path) -> None:
    volume = Volume(name="host", host_path=HostPathVolumeSource(path="/a\0b", type="Directory"))

    async def test(bench: Bench) -> None:
        with pytest.raises(DeadlineExceeded, match="host: embedded null byte"):
            await bench.manager.wait_mounted(pod_with(volume))

    run(tmp_path, test)


def test_release_removes_the_volumes_and_retain_the_pod(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        subject = pod_with(SETTINGS, DISK)
        await bench.manager.wait_mounted(subject)
        (tmp_path / f"pods/{UID}/etc-hosts").write_text("")
        await bench.manager.release(subject)
        assert os.listdir(tmp_path / f"pods/{UID}") == ["etc-hosts"]
        assert bench.manager.mounted(UID) == {}
        assert not bench.manager.has_volumes(UID)
        await bench.manager.release(subject)
        await bench.manager.retain(())
        assert os.listdir(tmp_path / "pods") == []

    run(tmp_path, test, config_map("cm", a="1"))


def test_release_ends_the_waiting(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        subject = pod_with(SETTINGS)
        waiting = asyncio.ensure_future(bench.manager.wait_mounted(subject))
        await asyncio.sleep(2)
        await bench.manager.release(subject)
        with pytest.raises(FailedPrecondition, match="are being removed"):
            await waiting
        seen = len(bench.events.seen)
        await asyncio.sleep(1000)
        assert len(bench.events.seen) == seen

    run(tmp_path, test)


def test_removal_is_tried_again_until_its_limit(tmp_path: Path) -> None:
    tries: list[float] = []

    def refuse(key: str) -> None:
        if key.startswith("removal"):
            tries.append(now())
            if len(tries) != 12:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), "/x")

    async def test(bench: Bench) -> None:
        subject = pod_with(DISK)
        await bench.manager.wait_mounted(subject)
        bench.work.before = refuse
        with pytest.raises(DeadlineExceeded, match=rf"the volumes of pod {UID} cannot be removed: .*busy: '/x'"):
            await bench.manager.release(subject)
        assert tries == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5]
        assert bench.manager.has_volumes(UID)
        await bench.manager.release(subject)
        assert len(tries) == 12
        assert not bench.manager.has_volumes(UID)

    run(tmp_path, test)


def test_retain_leaves_what_is_named_and_what_is_set(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.manager.wait_mounted(pod_with(DISK))
        for uid in ("named", "gone"):
            (tmp_path / f"pods/{uid}/volumes/kubernetes.io~empty-dir/v").mkdir(parents=True)
        await bench.manager.retain({"named"})
        assert sorted(os.listdir(tmp_path / "pods")) == ["named", UID]

    run(tmp_path, test)


def test_a_pod_that_comes_back_while_it_is_removed_waits_for_that(tmp_path: Path) -> None:
    (tmp_path / f"pods/{UID}/volumes/kubernetes.io~empty-dir/disk").mkdir(parents=True)
    (tmp_path / f"pods/{UID}/volumes/kubernetes.io~empty-dir/disk/old").write_text("x")

    async def test(bench: Bench) -> None:
        bench.work.takes_s = 2
        removing = asyncio.ensure_future(bench.manager.retain(()))
        await asyncio.sleep(3)
        await bench.manager.wait_mounted(pod_with(DISK))
        assert os.listdir(bench.file("", "disk", "empty-dir")) == []
        await removing
        assert bench.events.reasons() == ["FailedMount", "FailedMount"]

    run(tmp_path, test)


def test_a_subpath_needs_a_volume_that_is_there(tmp_path: Path) -> None:
    image = Volume(name="image", image=ImageVolumeSource(reference="registry.example/x:1"))

    async def bind(bench: Bench, subject: Pod, volume: str, subpath: str = "a") -> str:
        return await bench.manager.bind_subpath(subject, volume, subpath, container="main", index=0)

    async def test(bench: Bench) -> None:
        subject = pod_with(DISK, image)
        with pytest.raises(FailedPrecondition, match='cannot find volume "disk"'):
            await bind(bench, subject, "disk")
        await bench.manager.wait_mounted(subject)
        with pytest.raises(FailedPrecondition, match='cannot find volume "image"'):
            await bind(bench, subject, "image")
        with pytest.raises(PodwrightError, match="must not be an absolute path"):
            await bind(bench, subject, "disk", "/etc")
        bench.file("link", "disk", "empty-dir").symlink_to("/etc")
        with pytest.raises(FailedPrecondition, match='failed to prepare subPath for volumeMount "disk"') as caught:
            await bind(bench, subject, "disk", "link")
        assert "/etc" not in str(caught.value)

    run(tmp_path, test)


def test_a_change_of_group_that_takes_long_is_told_of(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.work.takes_s = 100
        await bench.manager.wait_mounted(pod_with(DISK, SETTINGS, group=os.getgid()))
        await asyncio.sleep(500)
        path = f"{UID}/volumes/kubernetes.io~empty-dir/disk"
        expected = [
            f"Setting volume ownership for {path} is taking",
            f"Setting volume ownership for {path}, processed 0",
        ]
        assert bench.events.reasons() == ["VolumePermissionChangeInProgress"] * 2
        for (_, _, message), start in zip(bench.events.seen, expected, strict=True):
            assert message.startswith(start)

    run(tmp_path, test, config_map("cm", a="1"))
