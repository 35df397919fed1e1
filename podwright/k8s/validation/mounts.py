"""Where containers see volumes, as files or as block devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from podwright.k8s.names import backstep_faults, descending_path_faults
from podwright.k8s.objects.container import Container, EphemeralContainer, VolumeMount
from podwright.k8s.objects.volume import Volume
from podwright.k8s.problems import Problem, forbidden, invalid, not_found, required
from podwright.k8s.validation.common import one_of

AnyContainer = Container | EphemeralContainer
PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
RECURSIVE_READ_ONLY = ("Disabled", "Enabled", "IfPossible")


def validate_mounts(path: str, container: AnyContainer, volumes: Mapping[str, Volume]) -> Iterator[Problem]:
    """A container's volumeMounts against the pod's volumes."""
    seen: set[str] = set()
    devices = {device.name: device.device_path for device in container.volume_devices}
    for index, mount in enumerate(container.volume_mounts):
        here = f"{path}.volumeMounts[{index}]"
        yield from _mount(here, mount, container)
        if mount.name not in volumes:
            yield not_found(f"{here}.name", mount.name)
        if mount.mount_path in seen:
            yield invalid(f"{here}.mountPath", mount.mount_path, "must be unique")
        seen.add(mount.mount_path)
        if mount.name in devices:
            yield invalid(f"{here}.name", mount.name, "must not already exist in volumeDevices")
        if mount.mount_path in devices.values():
            yield invalid(f"{here}.mountPath", mount.mount_path, "must not already exist as a path in volumeDevices")


def _mount(path: str, mount: VolumeMount, container: AnyContainer) -> Iterator[Problem]:
    if not mount.name:
        yield required(f"{path}.name")
    if not mount.mount_path:
        yield required(f"{path}.mountPath")
    for wire, inner in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
        yield from (invalid(f"{path}.{wire}", inner, fault) for fault in descending_path_faults(inner))
    if mount.sub_path and mount.sub_path_expr:
        message = "subPathExpr and subPath are mutually exclusive"
        yield invalid(f"{path}.subPathExpr", mount.sub_path_expr, message)
    if mount.mount_propagation is not None:
        here = f"{path}.mountPropagation"
        yield from one_of(here, mount.mount_propagation, PROPAGATIONS)
        privileged = container.security_context is not None and container.security_context.privileged
        if mount.mount_propagation == "Bidirectional" and not privileged:
            yield forbidden(here, "Bidirectional mount propagation is available only to privileged containers")
    if mount.recursive_read_only is not None:
        yield from _recursive(f"{path}.recursiveReadOnly", mount, mount.recursive_read_only)


def _recursive(path: str, mount: VolumeMount, value: str) -> Iterator[Problem]:
    yield from one_of(path, value, RECURSIVE_READ_ONLY)
    if value in ("Enabled", "IfPossible"):
        if not mount.read_only:
            yield forbidden(path, "may only be specified when readOnly is true")
        if mount.mount_propagation not in (None, "None"):
            yield forbidden(path, "may only be specified when mountPropagation is None or not specified")


def validate_devices(path: str, container: AnyContainer, volumes: Mapping[str, Volume]) -> Iterator[Problem]:
    """A container's volumeDevices: raw disks, which only claims give."""
    paths: set[str] = set()
    names: set[str] = set()
    for index, device in enumerate(container.volume_devices):
        here = f"{path}.volumeDevices[{index}]"
        for wire, value, seen in (("name", device.name, names), ("devicePath", device.device_path, paths)):
            if not value:
                yield required(f"{here}.{wire}")
            elif value in seen:
                yield invalid(f"{here}.{wire}", value, "must be unique")
            seen.add(value)
        volume = volumes.get(device.name)
        if volume is None:
            yield not_found(f"{here}.name", device.name)
        elif volume.persistent_volume_claim is None and volume.ephemeral is None:
            message = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            yield invalid(f"{here}.name", device.name, message)
        if any(backstep_faults(device.device_path)):
            yield invalid(f"{here}.devicePath", device.device_path, "can not contain backsteps ('..')")
