"""Makes the plan for one pod from a claim's PersistentVolume, or from an inline volume. Pure."""

from __future__ import annotations

from typing import TypedDict

from podwright.agent.volumes.groups import fs_group
from podwright.agent.volumes.host_paths import check_plan_path
from podwright.agent.volumes.ownership import GroupChange
from podwright.agent.volumes.plans import HostPathPlan
from podwright.agent.volumes.plugins.protocol import AnyPlan, VolumeRequest
from podwright.agent.volumes.storage.binding import BLOCK, gid_of, mode_of
from podwright.agent.volumes.storage.plans import CsiPlan, LocalPlan, NfsPlan, inline_handle
from podwright.errors import FailedPrecondition, Unimplemented
from podwright.k8s.objects import (
    CSIVolumeSource,
    NFSVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    SecretReference,
)

DEFAULT_FS_TYPE = "ext4"


def plan_persistent(
    request: VolumeRequest, volume: PersistentVolume, claim: PersistentVolumeClaim, *, read_only: bool
) -> AnyPlan:
    """The plan for the PersistentVolume of a claim. Raises Unimplemented and FailedPrecondition."""
    spec = volume.spec
    if spec.csi is not None:
        return _csi(request, volume, claim, read_only=read_only)
    if spec.local is not None:
        return _local(request, volume, read_only=read_only)
    if mode_of(volume) == BLOCK:
        raise FailedPrecondition(f"PersistentVolume {volume.metadata.name} has no volume plugin for block volumes")
    if spec.host_path is not None:
        source = spec.host_path
        check_plan_path(source.path, source.type or "")
        return HostPathPlan(
            path=source.path, type=source.type or "", read_only=read_only, gid=gid_of(volume), persistent=volume
        )
    if spec.nfs is not None:
        return _nfs(request, volume, spec.nfs, read_only=read_only)
    raise Unimplemented(
        f"no volume plugin matched: PersistentVolume {volume.metadata.name}",
        hint="this agent knows csi, hostPath, local and nfs",
    )


def plan_nfs(request: VolumeRequest, source: NFSVolumeSource) -> NfsPlan:
    """The plan for an NFS volume of the pod itself."""
    return NfsPlan(
        name=request.volume.name,
        directory=request.directory,
        uid=request.pod.metadata.uid,
        read_only=bool(source.read_only),
        server=source.server,
        path=source.path,
    )


def plan_inline_csi(request: VolumeRequest, source: CSIVolumeSource) -> CsiPlan:
    """The plan for an inline CSI volume, which lives as long as the pod."""
    pod, secret = request.pod, source.node_publish_secret_ref
    return CsiPlan(
        name=request.volume.name,
        directory=request.directory,
        uid=pod.metadata.uid,
        read_only=bool(source.read_only),
        group=_group(pod),
        driver=source.driver,
        handle=inline_handle(pod.metadata.uid, request.volume.name),
        fs_type=source.fs_type or "",
        attributes=source.volume_attributes,
        publish_secret=(
            SecretReference(name=secret.name, namespace=pod.metadata.namespace) if secret is not None else None
        ),
    )


class _Persistent(TypedDict):
    """The fields that all plans with a PersistentVolume share: see `StoredPlan`."""

    name: str
    directory: str
    uid: str
    read_only: bool
    options: tuple[str, ...]
    gid: int | None
    persistent: PersistentVolume


def _persistent(request: VolumeRequest, volume: PersistentVolume, *, read_only: bool) -> _Persistent:
    return _Persistent(
        name=volume.metadata.name,
        directory=request.directory,
        uid=request.pod.metadata.uid,
        read_only=read_only,
        options=volume.spec.mount_options,
        gid=gid_of(volume),
        persistent=volume,
    )


def _csi(
    request: VolumeRequest, volume: PersistentVolume, claim: PersistentVolumeClaim, *, read_only: bool
) -> CsiPlan:
    source = volume.spec.csi
    assert source is not None
    return CsiPlan(
        **_persistent(request, volume, read_only=read_only),
        is_block=mode_of(volume) == BLOCK,
        group=_group(request.pod),
        driver=source.driver,
        handle=source.volume_handle,
        fs_type=source.fs_type,
        attributes=source.volume_attributes,
        access_modes=volume.spec.access_modes,
        stage_secret=source.node_stage_secret_ref,
        publish_secret=source.node_publish_secret_ref,
        expand_secret=source.node_expand_secret_ref,
        claim=claim,
    )


def _local(request: VolumeRequest, volume: PersistentVolume, *, read_only: bool) -> LocalPlan:
    source = volume.spec.local
    assert source is not None
    if ".." in source.path.split("/"):
        raise FailedPrecondition(f"invalid path: {source.path} must not contain '..'")
    return LocalPlan(
        **_persistent(request, volume, read_only=read_only),
        is_block=mode_of(volume) == BLOCK,
        group=_group(request.pod),
        path="/" + source.path.lstrip("/"),
        fs_type=source.fs_type or DEFAULT_FS_TYPE,
    )


def _nfs(request: VolumeRequest, volume: PersistentVolume, source: NFSVolumeSource, *, read_only: bool) -> NfsPlan:
    return NfsPlan(**_persistent(request, volume, read_only=read_only), server=source.server, path=source.path)


def _group(pod: Pod) -> GroupChange | None:
    """The pod's fsGroup with its policy."""
    group, context = fs_group(pod), pod.spec.security_context
    if group is None:
        return None
    return GroupChange(group=group, policy=(context.fs_group_change_policy or "") if context is not None else "")
