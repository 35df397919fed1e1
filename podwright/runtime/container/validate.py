"""Whether a container can be what its config requests: pure checks before any change."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from podwright.errors import InvalidArgument
from podwright.runtime.cdi import names as cdi_names
from podwright.runtime.container.filesystem import image_volumes
from podwright.runtime.model.base import check_namespaces, check_no_nul, check_path, check_profile
from podwright.runtime.model.container import ContainerConfig, Device, Mount, Propagation
from podwright.runtime.security import selinux

NAME_LIMIT = 253


def check(config: ContainerConfig) -> None:
    """Raises InvalidArgument, and Unknown with CRI's sentinel for image volumes."""
    if not config.name:
        raise InvalidArgument("container config: metadata.name is missing")
    if len(config.name) > NAME_LIMIT or "/" in config.name:
        raise InvalidArgument(f"container config: metadata.name {config.name[:40]!r} is not a name")
    if not config.image.image:
        raise InvalidArgument(f"container {config.name}: image.image is missing")
    check_no_nul(f"container {config.name}", config)
    _check_variables(config)
    _check_log_path(config)
    for mount in config.mounts:
        _check_mount(config.name, mount)
    for device in config.devices:
        _check_device(config.name, device)
    _check_hidden_paths(config)
    check_namespaces(f"container {config.name}", config.security.namespaces)
    selinux.check(f"container {config.name}", config.security.selinux)
    check_profile(f"container {config.name}: seccomp", config.security.seccomp)
    check_profile(f"container {config.name}: apparmor", config.security.apparmor)
    cdi_names.requested(config.cdi_devices, config.annotations)


def check_image_handlers(config: ContainerConfig, find: Callable[[str], object]) -> None:
    """Check that the runtime handlers of image specs exist, as a pull does. Raises what `find` raises for a name."""
    for spec in (config.image, *(mount.image for mount in config.mounts)):
        if spec is not None and spec.runtime_handler:
            find(spec.runtime_handler)


def _check_variables(config: ContainerConfig) -> None:
    for key, _ in config.envs:
        if not key or "=" in key:
            raise InvalidArgument(f"container {config.name}: {key!r} is not the name of an environment variable")


def _check_log_path(config: ContainerConfig) -> None:
    path = config.log_path
    if path.startswith("/") or ".." in path.split("/"):
        raise InvalidArgument(f"container {config.name}: log_path {path[:200]!r} leaves the log directory")
    check_path(f"container {config.name}: log_path", path)


def _check_hidden_paths(config: ContainerConfig) -> None:
    """Raises InvalidArgument for paths that OCI runtimes silently ignore, because nothing would be hidden."""
    for path in (*config.security.masked_paths, *config.security.readonly_paths):
        if not path.startswith("/"):
            raise InvalidArgument(f"container {config.name}: masked or read-only path {path[:200]!r} is not absolute")


def _check_mount(name: str, mount: Mount) -> None:
    label = f"container {name}: mount {mount.container_path[:200] or '(without path)'}"
    if not mount.container_path:
        raise InvalidArgument(f"{label}: container_path is missing")
    check_path(label, mount.container_path)
    check_path(f"{label}: host_path", mount.host_path)
    if posixpath.normpath("/" + mount.container_path) == "/":
        raise InvalidArgument(f"{label}: container_path must not be /")
    if mount.image is not None:
        image_volumes.check(name, mount)
    elif not mount.host_path.startswith("/"):
        raise InvalidArgument(f"{label}: host_path {mount.host_path[:200]!r} is not absolute")
    if bool(mount.uid_mappings) is not bool(mount.gid_mappings):
        raise InvalidArgument(f"{label}: uidMappings and gidMappings need each other")
    if mount.recursive_read_only and (not mount.readonly or mount.propagation is not Propagation.PRIVATE):
        raise InvalidArgument(f"{label}: recursive_read_only needs readonly and private propagation")


def _check_device(name: str, device: Device) -> None:
    if not device.host_path.startswith("/") or not device.container_path.startswith("/"):
        raise InvalidArgument(f"container {name}: device {device.host_path[:200]!r} needs absolute paths")
    for path in (device.host_path, device.container_path):
        check_path(f"container {name}: device", path)
    if not device.permissions or set(device.permissions) - set("rwm"):
        raise InvalidArgument(f"container {name}: device permissions {device.permissions!r} are not of r, w and m")
