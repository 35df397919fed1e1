"""How a container's volumes are mounted (ContainerStatus.volumeMounts). Pure.

CRI has no names of volumes, so this comes from the spec and the runtime's capabilities (KEP 3857).
"""

from __future__ import annotations

from podwright.agent.pods.containers import AnyContainer
from podwright.k8s.objects import ContainerStatus, VolumeMount, VolumeMountStatus

DISABLED, IF_POSSIBLE, ENABLED = "Disabled", "IfPossible", "Enabled"


def volume_mounts(
    container: AnyContainer, previous: ContainerStatus | None, *, supports_recursive: bool
) -> tuple[VolumeMountStatus, ...]:
    """The mounts in the order of the spec. A published value stays, because mounts do not change."""
    if previous is not None and previous.volume_mounts:
        return previous.volume_mounts
    return tuple(
        VolumeMountStatus(
            name=mount.name,
            mount_path=mount.mount_path,
            read_only=mount.read_only,
            recursive_read_only=_mode(mount, supports_recursive=supports_recursive) if mount.read_only else None,
        )
        for mount in container.volume_mounts
    )


def _mode(mount: VolumeMount, *, supports_recursive: bool) -> str:
    """Whether a read-only mount is recursive: Enabled or Disabled. With propagation it is Disabled."""
    is_wanted = mount.recursive_read_only in (IF_POSSIBLE, ENABLED)
    propagates = mount.mount_propagation not in (None, "None")
    return ENABLED if is_wanted and supports_recursive and not propagates else DISABLED
