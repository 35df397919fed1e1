from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.container.filesystem import devices
from podwright.runtime.model.container import ContainerConfig, ContainerSecurity, Device, ImageSpec
from podwright.runtime.oci_spec.builder import HostDevice

NULL, ZERO = os.makedev(1, 3), os.makedev(1, 5)


def _resolved(
    *wanted: Device, security: ContainerSecurity | None = None, owned_by_user: bool = False
) -> dict[str, HostDevice]:
    config = ContainerConfig(
        name="c", image=ImageSpec(image="i"), devices=wanted, security=security or ContainerSecurity()
    )
    return {node.path: node for node in devices.resolve(config, owned_by_user=owned_by_user)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Devices, links to them, files, and folders with more."""
    made = tmp_path / "bus"
    for inner in ("", "deep", "pts"):
        (made / inner).mkdir()
    for name, number in (("null", NULL), ("deep/zero", ZERO), ("pts/0", NULL), ("console", NULL)):
        os.mknod(made / name, stat.S_IFCHR | 0o640, number)
        os.chown(made / name, 10, 20)
    (made / "file").write_text("no device")
    (made / "link").symlink_to("/dev/null")
    return made


def test_a_device_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/null")
    [node] = _resolved(
        Device(container_path="/dev//mine/../mine", host_path=str(tmp_path / "link"), permissions="rw")
    ).values()
    host = os.stat("/dev/null")
    assert node == HostDevice(
        path="/dev/mine",
        kind="c",
        major=1,
        minor=3,
        mode=stat.S_IMODE(host.st_mode),
        uid=host.st_uid,
        gid=host.st_gid,
        permissions="rw",
    )


@pytest.mark.root
def test_a_directory_is_all_devices_in_it(folder: Path) -> None:
    found = _resolved(Device(container_path="/dev/bus/", host_path=str(folder), permissions="r"))
    assert {path: (node.minor, node.permissions) for path, node in found.items()} == {
        "/dev/bus/null": (3, "r"),
        "/dev/bus/deep/zero": (5, "r"),
    }


@pytest.mark.root
@pytest.mark.parametrize(
    ("owned_by_user", "user", "group", "owner"),
    [
        (False, 7, 8, (10, 20)),
        (True, 7, 8, (7, 8)),
        (True, 7, None, (7, 20)),
        (True, 0, 0, (10, 20)),
        (True, None, None, (10, 20)),
    ],
)
def test_who_owns_a_device(
    folder: Path, owned_by_user: bool, user: int | None, group: int | None, owner: tuple[int, int]
) -> None:
    found = _resolved(
        Device(container_path="/dev/n", host_path=str(folder / "null")),
        security=ContainerSecurity(run_as_user=user, run_as_group=group),
        owned_by_user=owned_by_user,
    )
    assert (found["/dev/n"].uid, found["/dev/n"].gid) == owner


def test_privileged_is_all_of_the_host_and_what_was_asked_for() -> None:
    mine = Device(container_path="/dev/null", host_path="/dev/zero")
    found = _resolved(mine, security=ContainerSecurity(privileged=True))
    assert found["/dev/zero"].minor == found["/dev/null"].minor == 5
    assert "/dev/console" not in found
    assert not any(path.startswith(("/dev/pts/", "/dev/shm/")) for path in found)


@pytest.mark.parametrize("path", ["/etc/passwd", "/not/there"])
def test_what_is_no_device(path: str) -> None:
    with pytest.raises(InvalidArgument, match=f"container c: {path} is not a device"):
        _resolved(Device(container_path="/dev/x", host_path=path))


def test_a_directory_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "ENTRIES_LIMIT", 2)
    for name in "abc":
        (tmp_path / name).touch()
    with pytest.raises(InvalidArgument, match="too many entries"):
        _resolved(Device(container_path="/dev/x", host_path=str(tmp_path)))
