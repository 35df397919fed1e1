"""What directories and volumes hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.agent.stats import disk
from podwright.agent.stats.records import moment
from podwright.agent.stats.volumes import is_local_ephemeral, measure
from podwright.agent.volumes.plans import MountedVolume
from podwright.errors import DeadlineExceeded
from podwright.k8s import codec
from podwright.k8s.objects import Pod, Volume
from tests.agent.fakes.time import VirtualClock
from tests.agent.stats.usage import volume_usage

AT = moment(1_700_000_000 * 10**9)
POD = {
    "metadata": {"name": "web", "namespace": "default", "uid": "u-1"},
    "spec": {
        "containers": [],
        "volumes": [
            {"name": "data", "emptyDir": {}},
            {"name": "fast", "emptyDir": {"medium": "Memory"}},
            {"name": "host", "hostPath": {"path": "/"}},
            {"name": "claim", "persistentVolumeClaim": {"claimName": "big"}},
            {"name": "absent", "emptyDir": {}},
        ],
    },
}


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_bytes(b"x" * 10_000)
    os.link(tmp_path / "a" / "file", tmp_path / "linked")
    os.symlink("/usr", tmp_path / "out")
    found = disk.directory(str(tmp_path))
    assert found.inodes == 5  # the directory, a, b, file, out
    assert 10_000 <= found.used_bytes < 100_000
    with pytest.raises(FileNotFoundError):
        disk.directory(str(tmp_path / "none"))


def test_a_directory_deeper_than_a_path_can_be_long(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(60):
            os.mkdir("d" * 100, dir_fd=here)
            below = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    assert disk.directory(str(tmp_path)).inodes > 30


def test_a_directory_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "WALK_LIMIT_S", -1.0)
    with pytest.raises(DeadlineExceeded):
        disk.directory(str(tmp_path))


def test_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "0.log").write_bytes(b"x" * 5000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "more").write_bytes(b"x" * 5000)
    assert disk.files(str(tmp_path)).inodes == 1
    assert disk.files(str(tmp_path / "none")) == disk.DiskUsage()
    assert disk.file(str(tmp_path / "none")) is None


def test_volumes_of_a_pod(tmp_path: Path) -> None:
    pod = codec.from_document(POD, Pod)
    mounted = {}
    for name in ("data", "fast", "host", "claim"):
        (tmp_path / name).mkdir()
        mounted[name] = MountedVolume(path=str(tmp_path / name), is_host_path=name == "host")
    (tmp_path / "data" / "file").write_bytes(b"x" * 5000)
    found = measure(pod, mounted, AT)
    (data,) = found.ephemeral
    assert (data.name, data.inodes_used) == ("data", 2)
    fast, claim = found.persistent
    assert (fast.name, fast.inodes_used, fast.pvc_ref) == ("fast", 1, None)
    assert claim.pvc_ref is not None
    assert (claim.pvc_ref.name, claim.pvc_ref.namespace) == ("big", "default")
    assert claim.capacity_bytes == disk.filesystem(str(tmp_path), AT).capacity_bytes


@pytest.mark.parametrize(
    ("volume", "counts"),
    [
        ({"emptyDir": {}}, True),
        ({"emptyDir": {"medium": "Memory"}}, False),
        ({"configMap": {"name": "c"}}, True),
        ({"secret": {"secretName": "s"}}, False),
        ({"hostPath": {"path": "/"}}, False),
    ],
)
def test_what_counts_against_ephemeral_storage(volume: dict[str, object], counts: bool) -> None:
    assert is_local_ephemeral(codec.from_document({"name": "v", **volume}, Volume)) is counts


async def test_volumes_are_measured_again_when_that_is_old(tmp_path: Path) -> None:
    pod, clock = codec.from_document(POD, Pod), VirtualClock()
    mounted = {"data": MountedVolume(path=str(tmp_path))}
    usage = volume_usage(mounted, clock, 3600.0)
    first = (await usage.of([pod]))["u-1"]
    (tmp_path / "new").write_text("new")
    assert (await usage.of([pod]))["u-1"] is first
    assert await usage.of([]) == {}
    assert (await usage.of([pod]))["u-1"].ephemeral[0].inodes_used == 2
    await usage.close()
    off = volume_usage(mounted, clock, 0)
    assert await off.of([pod]) == {}
