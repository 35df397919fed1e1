"""Makes the requests to a CSI driver from a volume's plan, the CSIDriver and the pod. Pure.

The rules are the kubelet's (pkg/volume/csi of Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from podwright.agent.csi.values import Capabilities, DriverCapability, VolumeAccess
from podwright.agent.volumes.storage.plans import CsiPlan, attachment_name
from podwright.agent.volumes.storage.selinux_mounts import mount_option
from podwright.agent.volumes.storage.vol_data import EPHEMERAL, LABEL, LIFECYCLE
from podwright.errors import FailedPrecondition
from podwright.k8s.objects import CSIDriver, Pod, VolumeAttachment

PERSISTENT = "Persistent"
FILE, NONE, BY_FS_TYPE = "File", "None", "ReadWriteOnceWithFSType"
TOKENS = "csi.storage.k8s.io/serviceAccount.tokens"
ONE_NODE = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})


def is_attachable(driver: CSIDriver | None) -> bool:
    """Whether a controller must attach volumes to the node before they are used."""
    return driver is None or driver.spec.attach_required is not False


def check_lifecycle(plan: CsiPlan, driver: CSIDriver | None) -> None:
    """Raise FailedPrecondition if the driver does not support this life cycle: that of the pod, or of a claim."""
    mode = EPHEMERAL if plan.is_inline else PERSISTENT
    if driver is None:
        if plan.is_inline:
            raise FailedPrecondition(
                f'volume mode "{mode}" not supported by driver {plan.driver} (no CSIDriver object)'
            )
        return
    modes = driver.spec.volume_lifecycle_modes or (PERSISTENT,)
    if mode not in modes:
        listed = " ".join(f'"{each}"' for each in modes)
        raise FailedPrecondition(
            f'volume mode "{mode}" not supported by driver {plan.driver} (only supports [{listed}])'
        )


def checked_attachment(found: VolumeAttachment, handle: str) -> Mapping[str, str]:
    """The attachment's data for the node. Raises FailedPrecondition while the volume is not attached."""
    status = found.status
    if found.metadata.deletion_timestamp is not None:
        raise FailedPrecondition("volume attachment is being deleted")
    if status is not None and status.attached:
        return status.attachment_metadata
    if status is not None and status.attach_error is not None:
        raise FailedPrecondition(status.attach_error.message)
    raise FailedPrecondition(f"volume {handle} is not attached for volume attachment {found.metadata.name}")


def access_of(plan: CsiPlan, can: Capabilities) -> VolumeAccess:
    """How the volume is used. If the driver can, it gives the files to the pod's group itself."""
    mode = plan.access_modes[0] if plan.access_modes else "ReadWriteOnce"
    if plan.is_block:
        return VolumeAccess(mode=mode, is_block=True)
    is_drivers = DriverCapability.VOLUME_MOUNT_GROUP in can and plan.group is not None
    group = plan.group.group if is_drivers and plan.group is not None else None
    flags = (*plan.options, mount_option(plan.label)) if plan.label else plan.options
    return VolumeAccess(mode=mode, fs_type=plan.fs_type, flags=flags, group=group)


def changes_group(plan: CsiPlan, driver: CSIDriver | None, can: Capabilities) -> bool:
    """Whether the agent gives the files to the pod's group."""
    if plan.group is None or plan.read_only or plan.is_block or DriverCapability.VOLUME_MOUNT_GROUP in can:
        return False
    policy = driver.spec.fs_group_policy or BY_FS_TYPE if driver is not None else BY_FS_TYPE
    if policy != BY_FS_TYPE:
        return policy == FILE
    return bool(plan.fs_type) and (plan.is_inline or not ONE_NODE.isdisjoint(plan.access_modes))


def attributes_of(plan: CsiPlan, driver: CSIDriver | None, pod: Pod) -> dict[str, str]:
    """The volume's attributes, with those of the pod for drivers that ask for them."""
    attributes = dict(plan.attributes)
    if driver is not None and driver.spec.pod_info_on_mount:
        attributes |= {
            "csi.storage.k8s.io/pod.name": pod.metadata.name,
            "csi.storage.k8s.io/pod.namespace": pod.metadata.namespace,
            "csi.storage.k8s.io/pod.uid": pod.metadata.uid,
            "csi.storage.k8s.io/serviceAccount.name": pod.spec.service_account_name,
            "csi.storage.k8s.io/ephemeral": "true" if plan.is_inline else "false",
        }
    return attributes


def tokens_text(tokens: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Tokens in the format that a driver gets."""
    return {TOKENS: json.dumps(tokens, separators=(",", ":"), sort_keys=True)}


def volume_data(plan: CsiPlan, node: str) -> dict[str, str]:
    """The content of vol_data.json in the pod's directory, or in that of a block volume."""
    data = {
        "specVolID": plan.name,
        "volumeHandle": plan.handle,
        "driverName": plan.driver,
        "nodeName": node,
        "attachmentID": attachment_name(plan.driver, plan.handle, node),
    }
    life = {LIFECYCLE: EPHEMERAL if plan.is_inline else PERSISTENT}
    return data if plan.is_block else {**data, **life, **_label(plan)}


def staged_data(plan: CsiPlan) -> dict[str, str]:
    """The content of vol_data.json beside a staged volume."""
    return {"volumeHandle": plan.handle, "driverName": plan.driver, **_label(plan)}


def _label(plan: CsiPlan) -> dict[str, str]:
    return {LABEL: plan.label} if plan.label else {}
