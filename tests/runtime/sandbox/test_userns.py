"""User namespaces of pods, on the real kernel."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux import namespaces
from podwright.process import PosixProcessRunner
from podwright.runtime.handlers.fake import FakeHandler, FakeHost
from podwright.runtime.handlers.protocol import Capabilities
from podwright.runtime.model.base import IdMapping, NamespaceMode, NamespaceOptions, UserNamespace
from podwright.runtime.model.sandbox import SandboxConfig, SandboxName, SandboxSecurity
from podwright.runtime.sandbox import host_parts, userns
from podwright.runtime.sandbox.paths import SandboxPaths
from podwright.runtime.sandbox.userns import UserNamespaces
from tests.harness.podwright import Podwright

pytestmark = pytest.mark.root

USER = UserNamespace(
    uids=(IdMapping(container_id=0, host_id=70000, length=1000),),
    gids=(IdMapping(container_id=0, host_id=80000, length=2000),),
)


def _config(user: UserNamespace = USER, network: NamespaceMode = NamespaceMode.POD, **sysctls: str) -> SandboxConfig:
    return SandboxConfig(
        name=SandboxName(name="n", namespace="ns", uid="u"),
        hostname="mapped",
        sysctls={name.replace("_DOT_", "."): value for name, value in sysctls.items()},
        security=SandboxSecurity(namespaces=NamespaceOptions(network=network, user=user)),
    )


@pytest.fixture
def users(tmp_path: Path) -> UserNamespaces:
    for name in ("root", "state"):
        (tmp_path / name).mkdir(mode=0o711)
    return UserNamespaces(PosixProcessRunner(), root=str(tmp_path / "root"), state=str(tmp_path / "state"))


@pytest_asyncio.fixture
async def paths(tmp_path: Path) -> AsyncIterator[SandboxPaths]:
    made = SandboxPaths(directory=str(tmp_path / "sandbox"))
    yield made
    host_parts.unmake(made)


def _owner(path: str) -> int:
    """The inode of the user namespace that owns the one at `path` (ioctl_ns(2))."""
    import fcntl  # noqa: PLC0415 # here alone

    fd = os.open(path, os.O_RDONLY)
    try:
        owner = fcntl.ioctl(fd, 0xB701)  # NS_GET_USERNS
        try:
            return os.fstat(owner).st_ino
        finally:
            os.close(owner)
    finally:
        os.close(fd)


async def test_made_with_the_others_inside(users: UserNamespaces, paths: SandboxPaths) -> None:
    config = _config(kernel_DOT_shm_rmid_forced="1", fs_DOT_mqueue_DOT_msg_max="123")
    host_parts.make(config, paths, 1 << 20)
    await users.make(config, paths)
    assert host_parts.is_intact(config, paths)
    inode = os.stat(paths.userns).st_ino
    assert [_owner(path) for path in (paths.netns, paths.ipcns, paths.utsns)] == [inode] * 3
    read = namespaces.run_in_all(
        {"ipc": paths.ipcns, "uts": paths.utsns},
        lambda: (
            os.uname().nodename,
            Path("/proc/sys/kernel/shm_rmid_forced").read_text(),
            Path("/proc/sys/fs/mqueue/msg_max").read_text(),
        ),
    )
    assert read == ("mapped", "1\n", "123\n")
    for path in (paths.shm, paths.hosts, paths.hostname, paths.resolv_conf):
        assert (os.stat(path).st_uid, os.stat(path).st_gid) == (70000, 80000)
    passing = os.stat(paths.directory)
    assert (passing.st_mode & 0o7777, passing.st_uid, passing.st_gid) == (0o710, 0, 80000)
    host_parts.unpin(paths)
    assert not host_parts.is_intact(config, paths)


async def test_in_the_hosts_network(users: UserNamespaces, paths: SandboxPaths) -> None:
    config = _config(network=NamespaceMode.NODE)
    host_parts.make(config, paths, 1 << 20)
    await users.make(config, paths)
    assert set(host_parts.pinned_paths(config, paths)) == {"user", "ipc"}
    assert host_parts.is_intact(config, paths)


async def test_what_the_kernel_refuses(users: UserNamespaces, paths: SandboxPaths) -> None:
    config = _config(fs_DOT_mqueue_DOT_msg_max="many")
    host_parts.make(config, paths, 1 << 20)
    with pytest.raises(InvalidArgument, match=r"fs\.mqueue\.msg_max='many'"):
        await users.make(config, paths)


async def test_a_mapping_that_cannot_be(users: UserNamespaces) -> None:
    twice = UserNamespace(uids=USER.uids * 2, gids=USER.gids)
    with pytest.raises(FailedPrecondition, match="uid_map"):
        async with users.opened(twice):
            pass


async def test_a_namespace_for_a_while(users: UserNamespaces) -> None:
    async with users.opened(USER) as fd:
        assert os.fstat(fd).st_ino != os.stat("/proc/self/ns/user").st_ino
        assert os.readlink(f"/proc/self/fd/{fd}").startswith("user:")


async def test_unshare_says_why(users: UserNamespaces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(userns.UNSHARE_OPTIONS, "user", "--no-such-option")
    with pytest.raises(FailedPrecondition, match="cannot make a user namespace: unshare"):
        async with users.opened(USER):
            pass


async def test_found_out_once(users: UserNamespaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await users.lacking() == _closed(tmp_path)
    monkeypatch.setattr(userns, "_closed_directory", lambda _: "")
    assert await users.lacking() == ""
    assert list((tmp_path / "root").iterdir()) == list((tmp_path / "state").iterdir()) == []
    monkeypatch.setattr(userns, "try_idmapped_overlay", None)
    assert await users.lacking() == ""


def _closed(path: Path) -> str:
    """The directories of pytest are for root alone, and that is found."""
    first = next(folder for folder in reversed([path, *path.parents]) if not folder.stat().st_mode & 1)
    return f"{first} keeps others than root out (chmod o+x, or choose another --state)"


async def test_handlers_that_cannot(users: UserNamespaces) -> None:
    able, unable = Capabilities(user_namespaces=True), Capabilities()
    with pytest.raises(FailedPrecondition, match="handler 'unable' does not support"):
        await users.check(FakeHandler(FakeHost(), "unable", unable))
    with pytest.raises(FailedPrecondition, match="keeps others than root out"):
        await users.check(FakeHandler(FakeHost(), "able", able))


async def test_the_daemon_tells_that_it_can(podwright_server: Podwright) -> None:
    async with podwright_server.client() as cri:
        status = await cri.call(cri.runtime.Status, api.StatusRequest())
    told = {handler.name: handler.features for handler in status.runtime_handlers}
    assert {"", "crun", "runc"} <= set(told)
    assert all(features.user_namespaces and features.recursive_read_only_mounts for features in told.values())
    assert status.features.user_namespaces_host_network
    assert status.features.mount_options
