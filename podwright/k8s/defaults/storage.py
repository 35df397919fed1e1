"""Defaults of volumes and claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec.structs import replace

from podwright.k8s.defaults.images import default_pull_policy
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.objects.disks import (
    AzureDiskVolumeSource,
    HostPathVolumeSource,
    ISCSIVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
)
from podwright.k8s.objects.persistent_volume import PersistentVolume, PersistentVolumeSpec
from podwright.k8s.objects.persistent_volume_claim import PersistentVolumeClaim, PersistentVolumeClaimSpec
from podwright.k8s.objects.volume import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    ImageVolumeSource,
    ProjectedVolumeSource,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
)

FILE_MODE = 0o644
TOKEN_SECONDS = 3600

FileSource = TypeVar(
    "FileSource", ConfigMapVolumeSource, SecretVolumeSource, DownwardAPIVolumeSource, ProjectedVolumeSource
)


def _volume(volume: Volume) -> Volume:
    if sources_of(volume):
        return volume
    return replace(volume, empty_dir=EmptyDirVolumeSource())


def sources_of(volume: Volume) -> dict[str, Any]:
    """The sources of a volume, by attribute. A valid volume has exactly one."""
    given = ((name, getattr(volume, name)) for name in volume.__struct_fields__ if name != "name")
    return {name: source for name, source in given if source is not None}


def _image_volume(source: ImageVolumeSource) -> ImageVolumeSource:
    return replace(source, pull_policy=source.pull_policy or default_pull_policy(source.reference))


def _files(source: FileSource) -> FileSource:
    return source if source.default_mode is not None else replace(source, default_mode=FILE_MODE)


def _token(projection: ServiceAccountTokenProjection) -> ServiceAccountTokenProjection:
    return (
        projection
        if projection.expiration_seconds is not None
        else replace(projection, expiration_seconds=TOKEN_SECONDS)
    )


def _host_path(source: HostPathVolumeSource) -> HostPathVolumeSource:
    return source if source.type is not None else replace(source, type="")


def _iscsi(source: ISCSIVolumeSource) -> ISCSIVolumeSource:
    return source if source.iscsi_interface else replace(source, iscsi_interface="default")


def _rbd(source: RBDVolumeSource) -> RBDVolumeSource:
    return replace(
        source,
        pool=source.pool or "rbd",
        user=source.user or "admin",
        keyring=source.keyring or "/etc/ceph/keyring",
    )


def _azure_disk(source: AzureDiskVolumeSource) -> AzureDiskVolumeSource:
    return replace(
        source,
        caching_mode="ReadWrite" if source.caching_mode is None else source.caching_mode,
        fs_type="ext4" if source.fs_type is None else source.fs_type,
        kind="Shared" if source.kind is None else source.kind,
        read_only=bool(source.read_only),
    )


def _scale_io(source: ScaleIOVolumeSource) -> ScaleIOVolumeSource:
    storage_mode = source.storage_mode or "ThinProvisioned"
    return replace(source, storage_mode=storage_mode, fs_type=source.fs_type or "xfs")


def _claim(claim: PersistentVolumeClaim) -> PersistentVolumeClaim:
    return claim if claim.status.phase else replace(claim, status=replace(claim.status, phase="Pending"))


def _claim_spec(spec: PersistentVolumeClaimSpec) -> PersistentVolumeClaimSpec:
    return spec if spec.volume_mode is not None else replace(spec, volume_mode="Filesystem")


def _persistent_volume(volume: PersistentVolume) -> PersistentVolume:
    return volume if volume.status.phase else replace(volume, status=replace(volume.status, phase="Pending"))


def _persistent_volume_spec(spec: PersistentVolumeSpec) -> PersistentVolumeSpec:
    return replace(
        spec,
        persistent_volume_reclaim_policy=spec.persistent_volume_reclaim_policy or "Retain",
        volume_mode=spec.volume_mode or "Filesystem",
    )


RULES: dict[type[ApiObject], Callable[[Any], Any]] = {
    Volume: _volume,
    ImageVolumeSource: _image_volume,
    ConfigMapVolumeSource: _files,
    SecretVolumeSource: _files,
    DownwardAPIVolumeSource: _files,
    ProjectedVolumeSource: _files,
    ServiceAccountTokenProjection: _token,
    HostPathVolumeSource: _host_path,
    ISCSIVolumeSource: _iscsi,
    PersistentVolumeClaim: _claim,
    PersistentVolumeClaimSpec: _claim_spec,
    PersistentVolume: _persistent_volume,
    PersistentVolumeSpec: _persistent_volume_spec,
    RBDVolumeSource: _rbd,
    AzureDiskVolumeSource: _azure_disk,
    ScaleIOVolumeSource: _scale_io,
}
