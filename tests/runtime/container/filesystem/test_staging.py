"""Mounts made ready for an OCI runtime: what is planned, and what the kernel makes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition, Unknown
from podwright.linux import detached, mount
from podwright.process import PosixProcessRunner
from podwright.runtime.container.filesystem import staging
from podwright.runtime.container.filesystem.image_volumes import Held
from podwright.runtime.container.filesystem.paths import ContainerPaths, container_paths
from podwright.runtime.image.trees import ImageTree
from podwright.runtime.model.base import IdMapping, NamespaceMode, NamespaceOptions, UserNamespace
from podwright.runtime.model.container import Mount, Propagation
from podwright.runtime.model.ids import ContainerId, SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxSecurity, SandboxState
from podwright.runtime.sandbox.userns import UserNamespaces
from tests.linux.userns import child_in_user_namespace

IDS = (IdMapping(container_id=0, host_id=70000, length=1000),)
USER = UserNamespace(uids=IDS, gids=IDS)
PATHS = ContainerPaths(bundle="/b", storage="/s", staging="/st")


def _sandbox(user: UserNamespace | None = None, network: NamespaceMode = NamespaceMode.POD) -> Sandbox:
    return Sandbox(
        id=SandboxId("s"),
        config=SandboxConfig(
            name=SandboxName(name="n", namespace="ns", uid="u"),
            security=SandboxSecurity(namespaces=NamespaceOptions(user=user, network=network)),
        ),
        handler="crun",
        state=SandboxState.READY,
        created_at=1,
    )


def _mapped(path: object, **fields: object) -> Mount:
    return Mount(container_path="/m", host_path=str(path), uid_mappings=IDS, gid_mappings=IDS, **fields)  # type: ignore[arg-type] # keywords of a test


@pytest.fixture
def paths(tmp_path: Path) -> ContainerPaths:
    made = container_paths(str(tmp_path / "root"), str(tmp_path / "state"), ContainerId("c"))
    os.makedirs(made.bundle)
    return made


@pytest.fixture
def users(tmp_path: Path) -> UserNamespaces:
    return UserNamespaces(PosixProcessRunner(), root=str(tmp_path), state=str(tmp_path))


def test_plain_mounts_are_left_to_the_runtime() -> None:
    mounts = (Mount(container_path="/a", host_path="/h", readonly=True),)
    assert staging.plan(PATHS, mounts) == (mounts, ())


def test_what_is_planned() -> None:
    plain = Mount(container_path="/a", host_path="/h")
    deep = Mount(container_path="/b", host_path="/h", readonly=True, recursive_read_only=True)
    volume = _mapped("/b/volumes/0/sub", readonly=True)
    slave = _mapped("/h", propagation=Propagation.HOST_TO_CONTAINER)
    mounts, steps = staging.plan(PATHS, (plain, deep, volume, slave))
    assert [one.host_path for one in mounts] == ["/h", "/st/1", "/b/volumes/0/sub", "/st/3"]
    assert [one.readonly for one in mounts] == [False, True, True, False]
    assert not any(one.recursive_read_only or one.uid_mappings or one.gid_mappings for one in mounts)
    assert steps == (
        staging.Staged(source="/h", target="/st/1", read_only=True),
        staging.Staged(source="/h", target="/st/3", propagation=Propagation.HOST_TO_CONTAINER, user=USER),
    )


@pytest.mark.parametrize(
    ("user", "network", "path"),
    [
        (None, NamespaceMode.NODE, ""),
        (USER, NamespaceMode.POD, ""),
        (USER, NamespaceMode.NODE, "/st/sys"),
        (UserNamespace(mode=NamespaceMode.NODE), NamespaceMode.NODE, ""),
    ],
)
def test_who_gets_the_hosts_sys(user: UserNamespace | None, network: NamespaceMode, path: str) -> None:
    assert staging.host_sys(PATHS, _sandbox(user, network)) == path


@pytest.mark.root
async def test_ready_for_the_create_and_gone_after_it(
    paths: ContainerPaths, users: UserNamespaces, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "file").write_text("kept")
    os.chown(volume / "file", 3, 3)
    deep = Mount(container_path="/d", host_path=str(volume / "file"), readonly=True, recursive_read_only=True)
    with child_in_user_namespace("0 70000 1000") as pid:
        mounts = staging.prepare(paths, (_mapped(volume), deep), _sandbox(USER), f"/proc/{pid}/ns/user")
    assert not os.path.exists(paths.staging)
    for _ in range(2):  # a start can be tried again
        async with staging.ready(paths, users):
            shown, only = (Path(one.host_path) for one in mounts)
            assert os.stat(shown / "file").st_uid == 70003
            with pytest.raises(OSError, match="Read-only"):
                only.write_text("changed")
        assert not os.path.exists(paths.staging)
    assert (volume / "file").read_text() == "kept"


@pytest.mark.root
async def test_a_crash_in_between(paths: ContainerPaths, users: UserNamespaces, tmp_path: Path) -> None:
    deep = Mount(container_path="/d", host_path=str(tmp_path), readonly=True, recursive_read_only=True)
    (mount_,) = staging.prepare(paths, (deep,), _sandbox(), "")
    staging._attach(paths, staging._read(paths), {None: -1})
    assert os.listdir(mount_.host_path)
    async with staging.ready(paths, users):
        assert os.listdir(mount_.host_path)
    staging._attach(paths, staging._read(paths), {None: -1})
    staging.clear_all(str(tmp_path / "state"))
    assert os.listdir(tmp_path / "state" / "staging") == []
    staging.clear(paths)
    assert os.path.exists(paths.staging_plan)


@pytest.mark.root
async def test_nothing_planned(paths: ContainerPaths, users: UserNamespaces) -> None:
    staging.prepare(paths, (Mount(container_path="/a", host_path="/tmp"),), _sandbox(), "")
    assert not os.path.exists(paths.staging_plan)
    async with staging.ready(paths, users):
        assert not os.path.exists(paths.staging)


@pytest.mark.root
def test_a_volume_that_cannot_map_owners_fails_the_create(paths: ContainerPaths) -> None:
    with (
        child_in_user_namespace("0 70000 1000") as pid,
        pytest.raises(FailedPrecondition, match="filesystem of /proc cannot map owners"),
    ):
        staging.prepare(paths, (_mapped("/proc"),), _sandbox(USER), f"/proc/{pid}/ns/user")


def test_an_old_kernel(paths: ContainerPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detached, "is_supported", lambda: False)
    deep = Mount(container_path="/d", host_path="/", readonly=True, recursive_read_only=True)
    with pytest.raises(Unknown, match=r"^RROUnsupported: "):
        staging.prepare(paths, (deep,), _sandbox(), "")


@pytest.mark.root
def test_layers_with_their_owners_mapped(paths: ContainerPaths, tmp_path: Path) -> None:
    layers = []
    for name in ("one", "two"):
        (tmp_path / "layers" / name / "fs").mkdir(parents=True)
        (tmp_path / "layers" / name / "fs" / name).touch()
        layers.append(str(tmp_path / "layers" / name / "fs"))
    merged = tmp_path / "merged"
    merged.mkdir()
    held = Held(ImageTree(tuple(layers), layers[1]), (ImageTree((layers[0],), layers[0]),))
    with (
        child_in_user_namespace("0 70000 1000") as pid,
        staging.mapped_layers(paths, held, f"/proc/{pid}/ns/user") as mapped,
    ):
        assert mapped.root.root == mapped.root.layers[1]
        assert mapped.volumes[0].layers == mapped.root.layers[:1]
        mount.mount_overlay(mount.Overlay(target=str(merged), lower=mapped.root.layers))
    try:
        assert not os.path.exists(paths.staging)
        assert [os.stat(merged / name).st_uid for name in ("one", "two")] == [70000, 70000]
    finally:
        mount.unmount(str(merged))
    with staging.mapped_layers(paths, held, "") as plain:
        assert plain == held
