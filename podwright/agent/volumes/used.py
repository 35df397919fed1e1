"""The volumes that a pod's containers use, and mount points inside of volumes. Pure."""

from __future__ import annotations

import posixpath

from podwright.agent.pods.containers import all_containers
from podwright.k8s.objects import Pod, Volume


def used_volumes(pod: Pod) -> tuple[Volume, ...]:
    """The volumes that a container mounts or has as a device. Other volumes are never set up."""
    names = {mount.name for container in all_containers(pod) for mount in container.volume_mounts}
    names |= {device.name for container in all_containers(pod) for device in container.volume_devices}
    return tuple(volume for volume in pod.spec.volumes if volume.name in names)


def nested_mount_points(pod: Pod, volume: str) -> tuple[str, ...]:
    """Directories inside the volume on which a container mounts another volume, relative to the volume.

    The runtime cannot make them, because a volume of files is read-only in containers. Of nested mount points only the
    outermost belongs to this volume. The rules are those of the kubelet's volume/util.MakeNestedMountpoints.
    """
    found: dict[str, None] = {}
    for container in all_containers(pod):
        points = [_in_container(mount.mount_path) for mount in container.volume_mounts]
        for mount in container.volume_mounts:
            if mount.name == volume:
                found.update(dict.fromkeys(_outermost_below(_in_container(mount.mount_path), points)))
    return tuple(found)


def _in_container(path: str) -> str:
    """The path from the container's root, where `..` cannot lead out."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _outermost_below(own: str, points: list[str]) -> list[str]:
    prefix = own.rstrip("/") + "/"
    outermost: list[str] = []
    for point in sorted(points, key=len):
        if (
            point.startswith(prefix)
            and point != own
            and not any(point.startswith(f"{prefix}{other}/") for other in outermost)
        ):
            outermost.append(point.removeprefix(prefix))
    return sorted(dict.fromkeys(outermost))
