"""The hosts: Debian releases, and what the tests need there beyond `tools/setup.sh`."""

from __future__ import annotations

from dataclasses import dataclass

# A server's system: systemd with D-Bus (for the systemd cgroup driver), AppArmor, a kernel, and ssh for us.
PACKAGES = (
    "apparmor",
    "ca-certificates",
    "criu",
    "dbus",
    "e2fsprogs",
    "initramfs-tools",
    "kmod",
    "linux-image-cloud-amd64",
    "openssh-server",
    "python3-venv",
    "systemd-sysv",
    "udev",
    "zstd",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One kind of host. `python` is the version of its python3, which the wheels must fit."""

    name: str
    suite: str
    python: str
    packages: tuple[str, ...] = PACKAGES


SYSTEMS = {
    system.name: system
    for system in (
        System(name="debian-12", suite="bookworm", python="3.11"),
        # crun loads CRIU's library when it needs it, and its package only recommends that.
        System(name="debian-13", suite="trixie", python="3.13", packages=(*PACKAGES, "libcriu2")),
    )
}
