"""Makes and removes a sandbox's directory, pinned namespaces, files and /dev/shm on the host.

Each call blocks for some hundred microseconds, so the service runs it in a thread. `unmake` undoes any part of
`make`, also after a crash.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket

from podwright.errors import InvalidArgument
from podwright.linux import libc, mount, namespaces, selinux
from podwright.linux.files import make_private, write_new
from podwright.runtime.model.base import NamespaceMode
from podwright.runtime.model.sandbox import SandboxConfig
from podwright.runtime.sandbox import files, sysctls
from podwright.runtime.sandbox.paths import SandboxPaths

FILE_LIMIT_BYTES = 1024 * 1024
SHOWN_LIMIT = 200  # characters of a path in a message
# Like containerd and CRI-O, let pods with their own network namespace use ports below 1024 and ping unprivileged.
DEFAULT_NET_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}


def make(config: SandboxConfig, paths: SandboxPaths, shm_size_bytes: int, label: str = "") -> None:
    """Make everything except a user namespace and the namespaces inside it, which `userns` makes afterwards.

    `label` is the pod's SELinux label, empty on hosts without. Raises OSError, and InvalidArgument for a sysctl value
    that the kernel rejects.
    """
    make_private(paths.directory, group=root_on_host(config)[1])
    write_files(config, paths, label)
    pins = pinned_paths(config, paths)
    if pins and "user" not in pins:
        namespaces.create_pinned(pins, lambda: set_up_inside(config, pins))
    if config.security.namespaces.ipc is not NamespaceMode.NODE:
        os.mkdir(paths.shm, 0o755)
        mount.mount_tmpfs(paths.shm, size_bytes=shm_size_bytes, mode=0o1777, label=label)
        os.chown(paths.shm, *root_on_host(config))


def make_log_directory(config: SandboxConfig) -> None:
    """Make it with its parents. Raises InvalidArgument for an unusable path, and OSError if the disk is full."""
    if not config.log_directory:
        return
    try:
        os.makedirs(config.log_directory, mode=0o755, exist_ok=True)
    except OSError as failure:
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        shown = config.log_directory[:SHOWN_LIMIT]
        raise InvalidArgument(f"cannot make log_directory {shown!r}: {failure.strerror}") from failure


def unmake(paths: SandboxPaths) -> None:
    """Remove everything that `make` may have made. Absent parts are skipped. Raises OSError."""
    if not os.path.isdir(paths.directory):
        return
    unpin(paths)
    shutil.rmtree(paths.directory)


def unpin(paths: SandboxPaths) -> None:
    """Release the namespaces and /dev/shm of a stopped sandbox, but keep its files."""
    for pin in _pins(paths):
        namespaces.unpin(pin)
    mount.unmount(paths.shm)


def is_unpinned(paths: SandboxPaths) -> bool:
    """Whether `unpin` has finished for this sandbox."""
    return not any(os.path.lexists(pin) for pin in _pins(paths)) and not os.path.ismount(paths.shm)


def _pins(paths: SandboxPaths) -> tuple[str, ...]:
    return paths.netns, paths.ipcns, paths.utsns, paths.userns


def is_intact(config: SandboxConfig, paths: SandboxPaths) -> bool:
    """Whether all namespaces of the sandbox are still pinned."""
    return all(namespaces.is_pinned(path) for path in pinned_paths(config, paths).values())


def pinned_paths(config: SandboxConfig, paths: SandboxPaths) -> dict[str, str]:
    """The sandbox's own namespaces: kind to pin.

    A pod on the host's network also uses the host's name, so it has no UTS namespace.
    """
    modes = config.security.namespaces
    pins: dict[str, str] = {}
    if modes.network is not NamespaceMode.NODE:
        pins |= {"net": paths.netns, "uts": paths.utsns}
    if modes.ipc is not NamespaceMode.NODE:
        pins["ipc"] = paths.ipcns
    if modes.own_user is not None:
        pins["user"] = paths.userns
    return pins


def root_on_host(config: SandboxConfig) -> tuple[int, int]:
    """The (uid, gid) of the pod's root on the host."""
    user = config.security.namespaces.own_user
    return (0, 0) if user is None else user.on_host(0, 0)


def apply_network_sysctls(config: SandboxConfig, paths: SandboxPaths) -> None:
    """Set the request's net.* values after the interfaces exist. Raises InvalidArgument."""
    wanted = {name: value for name, value in config.sysctls.items() if name.startswith("net")}
    user = config.security.namespaces.own_user
    if user is not None:
        wanted = {name: sysctls.as_on_host(name, value, user.gids) for name, value in wanted.items()}
    if wanted:
        namespaces.run_in(paths.netns, "net", lambda: _write_sysctls(wanted))


def ipc_sysctls(config: SandboxConfig) -> dict[str, str]:
    """The request's values that belong to the IPC namespace."""
    return {name: value for name, value in config.sysctls.items() if not name.startswith("net")}


def set_up_inside(config: SandboxConfig, pins: dict[str, str]) -> None:
    """Runs in the new namespaces. With a user namespace, `userns` sets the IPC values."""
    if "uts" in pins:
        libc.sethostname(files.hostname(config, socket.gethostname()).encode())
    if "net" in pins:
        _write_sysctls(DEFAULT_NET_SYSCTLS)
    if "ipc" in pins and config.security.namespaces.own_user is None:
        _write_sysctls(ipc_sysctls(config))


def _write_sysctls(values: dict[str, str]) -> None:
    for name, value in values.items():
        try:
            with open(sysctls.path(name), "w", encoding="utf-8") as file:
                file.write(value)
        except OSError as failure:
            raise InvalidArgument(f"sysctl {name}={value!r}: {failure.strerror}") from failure


def write_files(config: SandboxConfig, paths: SandboxPaths, label: str = "") -> None:
    """Write the pod's hostname, hosts and resolv.conf, with that SELinux label. Raises OSError."""
    name = files.hostname(config, socket.gethostname())
    write_new(paths.hostname, f"{name}\n".encode(), mode=0o644)
    hosts = _read("/etc/hosts") or "127.0.0.1 localhost\n::1 localhost\n"
    write_new(paths.hosts, hosts.encode(), mode=0o644)
    write_new(paths.resolv_conf, files.resolv_conf(config.dns, _read("/etc/resolv.conf")).encode(), mode=0o644)
    for path in (paths.hostname, paths.hosts, paths.resolv_conf):
        os.chown(path, *root_on_host(config))
        if label:
            selinux.set_label(path, label)


def _read(path: str) -> str:
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read(FILE_LIMIT_BYTES)
    return ""
