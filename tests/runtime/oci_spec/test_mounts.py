"""Mount plans: order, overriding, options."""

from __future__ import annotations

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.model.container import Mount, Propagation
from podwright.runtime.oci_spec.mounts import OciMount, SandboxFiles, mounts, rootfs_propagation

FILES = SandboxFiles(hostname="/s/hostname", hosts="/s/hosts", resolv_conf="/s/resolv.conf", shm="/s/shm")


def _plan(*requested: Mount, privileged: bool = False, readonly_root: bool = False) -> dict[str, OciMount]:
    plan = mounts(requested, FILES, privileged=privileged, readonly_root=readonly_root)
    return {mount["destination"]: mount for mount in plan}


def test_defaults() -> None:
    plan = _plan()
    assert list(plan) == [
        "/proc",
        "/dev",
        "/sys",
        "/dev/pts",
        "/dev/mqueue",
        "/etc/hostname",
        "/etc/hosts",
        "/etc/resolv.conf",
        "/dev/shm",
        "/sys/fs/cgroup",
    ]
    assert "ro" in plan["/sys"]["options"]
    assert plan["/etc/hosts"]["options"] == ["rbind", "rprivate", "rw"]


def test_read_only_root_makes_the_files_read_only_but_not_shm() -> None:
    plan = _plan(readonly_root=True)
    assert "ro" in plan["/etc/resolv.conf"]["options"]
    assert "rw" in plan["/dev/shm"]["options"]


def test_privileged_may_write_sys() -> None:
    plan = _plan(privileged=True)
    assert "rw" in plan["/sys"]["options"]
    assert "rw" in plan["/sys/fs/cgroup"]["options"]


def test_requested_mounts_take_the_place_of_defaults() -> None:
    plan = _plan(
        Mount(container_path="/etc/hosts/", host_path="/pod/hosts"), Mount(container_path="/dev", host_path="/d")
    )
    assert plan["/etc/hosts"]["source"] == "/pod/hosts"
    assert plan["/dev"]["source"] == "/d"
    assert "/dev/pts" not in plan
    assert "/dev/shm" not in plan


def test_parents_come_before_children_and_equals_keep_their_order() -> None:
    plan = mounts(
        (
            Mount(container_path="/a/b/c", host_path="/1"),
            Mount(container_path="/a", host_path="/2"),
            Mount(container_path="/a/b", host_path="/3"),
            Mount(container_path="/z/b", host_path="/4"),
        ),
        SandboxFiles(),
        privileged=False,
        readonly_root=False,
    )
    order = [mount["source"] for mount in plan if mount["source"] in "/1/2/3/4"]
    assert order == ["/2", "/3", "/4", "/1"]


@pytest.mark.parametrize(
    ("mount", "options"),
    [
        (Mount(container_path="/m", host_path="/h"), ["rbind", "rprivate", "rw"]),
        (Mount(container_path="/m", host_path="/h", readonly=True), ["rbind", "rprivate", "ro"]),
        (
            Mount(container_path="/m", host_path="/h", propagation=Propagation.HOST_TO_CONTAINER),
            ["rbind", "rslave", "rw"],
        ),
        (
            Mount(container_path="/m", host_path="/h", propagation=Propagation.BIDIRECTIONAL, options=("noexec",)),
            ["rbind", "rshared", "rw", "noexec"],
        ),
    ],
)
def test_options(mount: Mount, options: list[str]) -> None:
    assert _plan(mount)["/m"]["options"] == options


def test_the_hosts_sys_for_those_who_may_not_mount_one() -> None:
    plan = {m["destination"]: m for m in mounts((), SandboxFiles(sys="/s"), privileged=True, readonly_root=False)}
    assert (plan["/sys"]["type"], plan["/sys"]["source"]) == ("bind", "/s")
    assert "ro" in plan["/sys"]["options"]


@pytest.mark.parametrize(
    "mount",
    [Mount(container_path="m", host_path="/h"), Mount(container_path="/m", host_path="/h", options=("suid",))],
)
def test_refused(mount: Mount) -> None:
    with pytest.raises(InvalidArgument):
        _plan(mount)


@pytest.mark.parametrize(
    ("modes", "propagation"),
    [
        ((), None),
        ((Propagation.PRIVATE,), None),
        ((Propagation.HOST_TO_CONTAINER, Propagation.PRIVATE), "rslave"),
        ((Propagation.HOST_TO_CONTAINER, Propagation.BIDIRECTIONAL), "rshared"),
    ],
)
def test_root_propagation(modes: tuple[Propagation, ...], propagation: str | None) -> None:
    requested = tuple(Mount(container_path=f"/{n}", host_path="/h", propagation=m) for n, m in enumerate(modes))
    assert rootfs_propagation(requested) == propagation
