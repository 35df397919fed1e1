"""Taking volumes down: everything goes that is the pod's, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from podwright.agent.volumes.shared_root import make_shared
from podwright.agent.volumes.teardown import has_volumes, mounts_below, remove_pod, remove_volumes
from podwright.errors import FailedPrecondition
from podwright.linux import detached
from tests.agent.volumes.conftest import mounts_in

pytestmark = pytest.mark.root


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


@pytest.fixture
def pod(root: Path) -> Path:
    """A pod with a tmpfs, a directory, and files beside its volumes."""
    path = root / "pods/u1"
    for folder in (
        "volumes/kubernetes.io~empty-dir/disk",
        "volumes/kubernetes.io~secret/keys",
        "plugins/kubernetes.io~empty-dir/disk",
        "volume-subpaths/disk/main/0",
        "containers/main",
    ):
        (path / folder).mkdir(parents=True)
    mount("-t", "tmpfs", "tmpfs", path / "volumes/kubernetes.io~secret/keys")
    (path / "volumes/kubernetes.io~secret/keys/token").write_text("x")
    (path / "volumes/kubernetes.io~empty-dir/disk/data").write_text("x")
    (path / "plugins/kubernetes.io~empty-dir/disk/ready").write_text("")
    (path / "etc-hosts").write_text("")
    return path


def test_volumes_go_and_the_pods_other_files_stay(root: Path, pod: Path) -> None:
    assert has_volumes(str(pod))
    remove_volumes(str(pod))
    assert sorted(path.name for path in pod.iterdir()) == ["containers", "etc-hosts"]
    assert mounts_in(root) == []
    assert not has_volumes(str(pod))
    remove_volumes(str(pod))


def test_the_whole_pod_goes(root: Path, pod: Path) -> None:
    remove_pod(str(pod))
    assert list((root / "pods").iterdir()) == []
    remove_pod(str(pod))


def test_a_path_of_the_machine_that_is_mounted_below_is_only_unmounted(root: Path, pod: Path) -> None:
    machine = root / "machine"
    (machine / "lower").mkdir(parents=True)
    (machine / "kept").write_text("x")
    inside = pod / "volumes/kubernetes.io~empty-dir/disk/deep"
    inside.mkdir()
    mount("--bind", machine, inside)
    mount("--bind", machine, pod / "volume-subpaths/disk/main/0")
    mount("--bind", machine / "kept", pod / "etc-hosts")
    assert len(mounts_below(str(pod))) == 4
    remove_pod(str(pod))
    assert (machine / "kept").read_text() == "x"
    assert mounts_in(root) == []
    assert not pod.exists()


def test_the_machines_own_lower_mounts_survive(root: Path) -> None:
    """What a pod sees of a shared tree shares its lower mounts: unmounting them there must not reach the original."""
    make_shared(str(root))
    machine = root / "machine"
    (machine / "lower").mkdir(parents=True)
    mount("-t", "tmpfs", "tmpfs", machine)
    subprocess.run(["mount", "--make-shared", machine], check=True)
    (machine / "lower").mkdir()
    target = root / "pods/u1/volumes/kubernetes.io~empty-dir/v/bound"
    target.mkdir(parents=True)
    mount("--bind", machine, target)
    mount("-t", "tmpfs", "tmpfs", machine / "lower")  # arrives below the pod too
    assert len(mounts_below(str(root / "pods/u1"))) == 2
    remove_pod(str(root / "pods/u1"))
    assert mounts_in(root) == [str(machine), str(machine / "lower")]
    detached.detach(str(machine))


def test_nothing_is_deleted_while_something_is_mounted(root: Path, pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = root / "machine"
    machine.mkdir()
    (machine / "kept").write_text("x")
    (pod / "volumes/kubernetes.io~empty-dir/disk/deep").mkdir()
    mount("--bind", machine, pod / "volumes/kubernetes.io~empty-dir/disk/deep")
    monkeypatch.setattr(detached, "detach", lambda target: None)  # as if the kernel refused
    with pytest.raises(Exception, match=r"is still mounted, so .* is kept"):
        remove_pod(str(pod))
    monkeypatch.undo()
    assert (machine / "kept").exists()
    assert (pod / "volumes/kubernetes.io~empty-dir/disk/data").exists()


def test_a_volume_of_another_kind_is_never_emptied(pod: Path) -> None:
    other = pod / "volumes/kubernetes.io~local-volume/db"
    other.mkdir(parents=True)
    (other / "precious").write_text("x")
    with pytest.raises(FailedPrecondition, match=r"db is not mounted and not empty, so it is kept"):
        remove_volumes(str(pod))
    assert (other / "precious").exists()
    (other / "precious").unlink()
    remove_volumes(str(pod))
    assert not other.exists()


def test_links_in_the_place_of_directories_lead_nowhere(root: Path, pod: Path) -> None:
    outside = root / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    remove_volumes(str(pod))
    (pod / "volumes").symlink_to(outside)
    (pod / "plugins").symlink_to(outside)
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        remove_volumes(str(pod))
    (root / "pods/u2").symlink_to(outside)
    with pytest.raises(OSError, match=r"Not a directory"):
        remove_pod(str(root / "pods/u2"))
    assert (outside / "kept").exists()


def test_a_pod_without_a_directory_is_fine(root: Path) -> None:
    remove_volumes(str(root / "pods/none"))
    remove_pod(str(root / "pods/none"))
    assert not has_volumes(str(root / "pods/none"))


def test_a_root_behind_a_link_is_found_in_the_mount_table(root: Path, pod: Path) -> None:
    alias = root.parent / "alias"
    alias.symlink_to(root)
    remove_pod(os.path.join(alias, "pods/u1"))
    assert mounts_in(root) == []
    assert not pod.exists()
