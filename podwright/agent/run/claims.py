"""PersistentVolumeClaims as folders of this machine. `ClaimFolders` is pure, `make_folders` makes them.

A claim's folder is `ROOT/NAMESPACE/NAME`. It outlives the run, so that the next run of the same files finds its data.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from podwright.errors import FailedPrecondition
from podwright.k8s.objects import (
    Container,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    Volume,
)

FOLDER_MODE = 0o777  # as provisioners of local folders make it: every user of a pod may write


class ClaimFolders(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of claims: below `root`, or the path of the PersistentVolume that a claim is bound to."""

    root: str
    bound: Mapping[tuple[str, str], HostPathVolumeSource] = msgspec.field(default_factory=dict)

    def source_of(self, namespace: str, name: str) -> HostPathVolumeSource:
        """The claim's folder as a volume."""
        own = HostPathVolumeSource(path=f"{self.root}/{namespace}/{name}", type="Directory")
        return self.bound.get((namespace, name), own)

    def to_make(self, claims: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """The folders below `root` that these claims need."""
        return tuple(self.source_of(*claim).path for claim in claims if claim not in self.bound)

    def resolve(self, pod: Pod) -> PodSpec:
        """The pod's spec, with folders instead of claims. An ephemeral claim lives as long as its pod."""
        namespace = pod.metadata.namespace
        volumes = tuple(self._resolve(volume, namespace) for volume in pod.spec.volumes)
        spec = replace(pod.spec, volumes=volumes)
        read_only = {volume.name for volume in pod.spec.volumes if _is_read_only(volume)}
        return _with_read_only(spec, read_only) if read_only else spec

    def _resolve(self, volume: Volume, namespace: str) -> Volume:
        claim = volume.persistent_volume_claim
        if claim is not None:
            return Volume(name=volume.name, host_path=self.source_of(namespace, claim.claim_name))
        if volume.ephemeral is not None:
            return Volume(name=volume.name, empty_dir=EmptyDirVolumeSource())
        return volume


def bind(
    claims: Iterable[PersistentVolumeClaim], volumes: Iterable[PersistentVolume]
) -> dict[tuple[str, str], HostPathVolumeSource]:
    """The folders of claims with a PersistentVolume in the files. Either of the two may name the other."""
    by_name = {volume.metadata.name: volume for volume in volumes}
    bound = {}
    for claim in claims:
        key = (claim.metadata.namespace, claim.metadata.name)
        volume = by_name.get(claim.spec.volume_name) or _reserved(by_name.values(), key)
        if volume is not None:
            bound[key] = _folder_of(volume)
    return bound


def make_folders(paths: Iterable[str], root: str) -> None:
    """Make the folders of claims below `root`. Existing ones stay. Raises FailedPrecondition.

    Only root may enter `root`, so that only pods reach the folders, which are open to all.
    """
    for path in sorted(set(paths)):
        try:
            os.makedirs(root, mode=0o700, exist_ok=True)
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(path)
                os.chmod(path, FOLDER_MODE)  # the umask has changed mkdir's mode
            if not os.path.isdir(path):
                raise FailedPrecondition(f"{path} is not a folder", hint="a claim needs one: move the file away")
        except OSError as failure:
            raise FailedPrecondition(f"cannot make the folder {path} of a claim: {failure.strerror}") from failure


def _reserved(volumes: Iterable[PersistentVolume], key: tuple[str, str]) -> PersistentVolume | None:
    for volume in volumes:
        reference = volume.spec.claim_ref
        if reference is not None and (reference.namespace or "default", reference.name) == key:
            return volume
    return None


def _folder_of(volume: PersistentVolume) -> HostPathVolumeSource:
    if volume.spec.host_path is not None:
        return volume.spec.host_path
    assert volume.spec.local is not None  # `rules` names volumes of other kinds
    return HostPathVolumeSource(path=volume.spec.local.path, type="Directory")


def _is_read_only(volume: Volume) -> bool:
    return volume.persistent_volume_claim is not None and volume.persistent_volume_claim.read_only


def _with_read_only(spec: PodSpec, volumes: set[str]) -> PodSpec:
    """The spec, in which every mount of these volumes is read-only.

    A hostPath volume cannot be read-only as a whole.
    """
    return replace(
        spec,
        init_containers=tuple(_mounts_read_only(each, volumes) for each in spec.init_containers),
        containers=tuple(_mounts_read_only(each, volumes) for each in spec.containers),
    )


def _mounts_read_only(container: Container, volumes: set[str]) -> Container:
    mounts = tuple(
        replace(mount, read_only=True) if mount.name in volumes else mount for mount in container.volume_mounts
    )
    return replace(container, volume_mounts=mounts)
