"""Checks whether a pod may use a claim and its PersistentVolume. Pure.

The checks and their wording are the kubelet's (volumemanager/populator of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.pods.containers import all_containers
from podwright.errors import FailedPrecondition
from podwright.k8s.node_selectors import matches_terms
from podwright.k8s.objects import PersistentVolume, PersistentVolumeClaim, Pod, Volume

BOUND, BLOCK, FILESYSTEM = "Bound", "Block", "Filesystem"
PROTECTION = "kubernetes.io/pvc-protection"
GID_ANNOTATION = "pv.beta.kubernetes.io/gid"
STORAGE = "storage"


def claim_name(pod: Pod, volume: Volume) -> str:
    """The name of a volume's claim, which an ephemeral volume has too. Empty for other volumes."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def check_claim(claim: PersistentVolumeClaim) -> None:
    """Raise FailedPrecondition for a claim that no pod may use now.

    A claim that is being deleted may be used as long as it is protected, so that running pods keep it.
    """
    if claim.metadata.deletion_timestamp is not None and PROTECTION not in claim.metadata.finalizers:
        raise FailedPrecondition("PVC is being deleted")
    if claim.status.phase != BOUND:
        raise FailedPrecondition("PVC is not bound")
    if not claim.spec.volume_name:
        raise FailedPrecondition("PVC has empty pvc.Spec.VolumeName")


def check_owner(claim: PersistentVolumeClaim, pod: Pod) -> None:
    """Raise FailedPrecondition if the claim of an ephemeral volume was not made for this pod."""
    owned = any(each.controller and each.uid == pod.metadata.uid for each in claim.metadata.owner_references)
    if claim.metadata.namespace != pod.metadata.namespace or not owned:
        raise FailedPrecondition(
            f"PVC {claim.metadata.namespace}/{claim.metadata.name} was not created for pod "
            f"{pod.metadata.namespace}/{pod.metadata.name} (pod is not owner)"
        )


def check_bound(volume: PersistentVolume, claim: PersistentVolumeClaim) -> None:
    """Raise FailedPrecondition if the PersistentVolume is for another claim, such as an earlier one with this name."""
    name, reference = volume.metadata.name, volume.spec.claim_ref
    if reference is None:
        raise FailedPrecondition(
            f"found PV object {name} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim"
        )
    if reference.uid != claim.metadata.uid:
        raise FailedPrecondition(
            f"found PV object {name} but its pv.Spec.ClaimRef.UID {reference.uid} "
            f"does not point to claim.UID {claim.metadata.uid}"
        )


def check_use(pod: Pod, volume: Volume, mode: str) -> None:
    """Raise FailedPrecondition if a container mounts a block device, or has a filesystem as a device."""
    containers = tuple(all_containers(pod))
    is_mounted = any(each.name == volume.name for container in containers for each in container.volume_mounts)
    is_device = any(each.name == volume.name for container in containers for each in container.volume_devices)
    for is_wrong, where in (
        (is_mounted and mode != FILESYSTEM, "volumeMounts"),
        (is_device and mode != BLOCK, "volumeDevices"),
    ):
        if is_wrong:
            raise FailedPrecondition(f"volume {volume.name} has volumeMode {mode}, but is specified in {where}")


def check_node(volume: PersistentVolume, node: str, labels: Mapping[str, str]) -> None:
    """Raise FailedPrecondition if the PersistentVolume cannot be reached from this node."""
    affinity = volume.spec.node_affinity
    if affinity is None or affinity.required is None:
        return
    if not matches_terms(affinity.required.node_selector_terms, node, labels):
        raise FailedPrecondition("no matching NodeSelectorTerms")


def mode_of(volume: PersistentVolume) -> str:
    """Block or Filesystem."""
    return volume.spec.volume_mode or FILESYSTEM


def gid_of(volume: PersistentVolume) -> int | None:
    """The group that the PersistentVolume's annotation demands of pods."""
    text = volume.metadata.annotations.get(GID_ANNOTATION, "")
    return int(text) if text.isascii() and text.isdigit() else None
