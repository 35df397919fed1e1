"""Volumes of a pod: names, one source each, and what the sources hold that a node can provide by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from podwright.k8s.defaults.storage import sources_of
from podwright.k8s.names import backstep_faults, label_faults, subdomain_faults
from podwright.k8s.objects.disks import HostPathVolumeSource
from podwright.k8s.objects.pod import Pod
from podwright.k8s.objects.volume import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    ImageVolumeSource,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretVolumeSource,
    Volume,
)
from podwright.k8s.problems import Problem, duplicate, forbidden, invalid, required
from podwright.k8s.validation.common import PULL_POLICIES, at_most_one, file_mode, named, one_of
from podwright.k8s.validation.projected import validate_projected
from podwright.k8s.validation.resources import quantity
from podwright.k8s.validation.volume_files import validate_downward_files, validate_keys

HOST_PATH_TYPES = frozenset(
    {"DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"}
)


def validate_volumes(pod: Pod) -> Iterator[Problem]:
    """Every volume of the pod."""
    seen: set[str] = set()
    claims = {f"{pod.metadata.name}-{volume.name}" for volume in pod.spec.volumes if volume.ephemeral is not None}
    for index, volume in enumerate(pod.spec.volumes):
        path = f"spec.volumes[{index}]"
        yield from _source(path, volume)
        yield from named(f"{path}.name", volume.name, label_faults)
        if volume.name in seen:
            yield duplicate(f"{path}.name", volume.name)
        seen.add(volume.name)
        claim = volume.persistent_volume_claim
        if claim is not None and claim.claim_name in claims:
            message = "must not reference a PVC that gets created for an ephemeral volume"
            yield invalid(f"{path}.persistentVolumeClaim.claimName", claim.claim_name, message)


def _source(path: str, volume: Volume) -> Iterator[Problem]:
    sources = sources_of(volume)
    wires = dict(zip(volume.__struct_fields__, volume.__struct_encode_fields__, strict=True))
    if not sources:
        yield required(path, "must specify a volume type")
    for attribute, source in list(sources.items())[:1]:
        check = _CHECKS.get(type(source))
        if check is not None:
            yield from check(f"{path}.{wires[attribute]}", source)
    yield from at_most_one(path, (wires[attribute] for attribute in sources), "volume type")


def _empty_dir(path: str, source: EmptyDirVolumeSource) -> Iterator[Problem]:
    if source.size_limit is not None and any(quantity(path, source.size_limit)):
        yield forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")
    # The API takes any text; a kubelet that meets another word never starts the pod.
    if source.medium not in ("", "Memory", "HugePages") and not source.medium.startswith("HugePages-"):
        yield invalid(f"{path}.medium", source.medium, "must be Memory, HugePages or HugePages-SIZE")


def _host_path(path: str, source: HostPathVolumeSource) -> Iterator[Problem]:
    yield from named(f"{path}.path", source.path, backstep_faults)
    yield from one_of(f"{path}.type", source.type or "", HOST_PATH_TYPES, needed=False)


def _config_map(path: str, source: ConfigMapVolumeSource) -> Iterator[Problem]:
    yield from named(f"{path}.name", source.name, subdomain_faults)
    yield from file_mode(f"{path}.defaultMode", source.default_mode)
    yield from validate_keys(path, source.items)


def _secret(path: str, source: SecretVolumeSource) -> Iterator[Problem]:
    yield from named(f"{path}.secretName", source.secret_name, subdomain_faults)
    yield from file_mode(f"{path}.defaultMode", source.default_mode)
    yield from validate_keys(path, source.items)


def _downward_api(path: str, source: DownwardAPIVolumeSource) -> Iterator[Problem]:
    yield from file_mode(f"{path}.defaultMode", source.default_mode)
    yield from validate_downward_files(path, source.items)


def _image(path: str, source: ImageVolumeSource) -> Iterator[Problem]:
    if not source.reference:
        yield required(f"{path}.reference")
    yield from one_of(f"{path}.pullPolicy", source.pull_policy, PULL_POLICIES)


def _claim(path: str, source: PersistentVolumeClaimVolumeSource) -> Iterator[Problem]:
    if not source.claim_name:
        yield required(f"{path}.claimName")


_CHECKS: dict[type[msgspec.Struct], Callable[[str, Any], Iterator[Problem]]] = {
    EmptyDirVolumeSource: _empty_dir,
    HostPathVolumeSource: _host_path,
    ConfigMapVolumeSource: _config_map,
    SecretVolumeSource: _secret,
    DownwardAPIVolumeSource: _downward_api,
    ProjectedVolumeSource: validate_projected,
    ImageVolumeSource: _image,
    PersistentVolumeClaimVolumeSource: _claim,
}
