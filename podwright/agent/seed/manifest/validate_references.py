"""References from the Pod to ConfigMaps, Secrets and its own fields. Pure.

A cluster could still get a missing object later; a file cannot, so what is missing is a fault now.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from podwright.agent.seed.manifest.container import Container, EnvVarSource
from podwright.agent.seed.manifest.node import names
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.manifest.problems import Problem
from podwright.agent.seed.manifest.volume import (
    DownwardApiFile,
    KeyToPath,
    ObjectFieldSelector,
    ResourceFieldSelector,
    Volume,
)
from podwright.errors import InvalidArgument
from podwright.k8s.quantity import parse_nano

Keys = Mapping[str, frozenset[str]]

ENV_FIELDS = names(
    "metadata.name metadata.namespace metadata.uid spec.nodeName spec.serviceAccountName "
    "status.hostIP status.hostIPs status.podIP status.podIPs"
)
VOLUME_FIELDS = names("metadata.name metadata.namespace metadata.uid metadata.labels metadata.annotations")
_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['[^']+'\]")
_RESOURCE = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Objects:
    config_maps: Keys
    secrets: Keys

    def whole(self, path: str, kind: str, name: str, *, optional: bool) -> Iterator[Problem]:
        keys = self.config_maps if kind == "ConfigMap" else self.secrets
        if name not in keys and not optional:
            yield Problem(path=path, message=f"the file holds no {kind} named {name!r}")

    def key(self, path: str, kind: str, name: str, key: str, *, optional: bool) -> Iterator[Problem]:
        keys = self.config_maps if kind == "ConfigMap" else self.secrets
        if name not in keys:
            yield from self.whole(path, kind, name, optional=optional)
        elif key not in keys[name] and not optional:
            yield Problem(path=path, message=f"{kind} {name!r} has no key {key!r}")

    def items(
        self, path: str, kind: str, name: str, items: tuple[KeyToPath, ...], *, optional: bool
    ) -> Iterator[Problem]:
        yield from self.whole(path, kind, name, optional=optional)
        for index, item in enumerate(items):
            if name in (self.config_maps if kind == "ConfigMap" else self.secrets):
                yield from self.key(f"{path}.items[{index}].key", kind, name, item.key, optional=optional)


def validate_references(pod: Pod, config_maps: Keys, secrets: Keys) -> Iterator[Problem]:
    """Every reference that leads nowhere."""
    objects = _Objects(config_maps=config_maps, secrets=secrets)
    for index, reference in enumerate(pod.spec.image_pull_secrets):
        yield from objects.whole(f"spec.imagePullSecrets[{index}].name", "Secret", reference.name, optional=False)
    for index, volume in enumerate(pod.spec.volumes):
        yield from _volume(f"spec.volumes[{index}]", pod, volume, objects)
    for path, container in pod.all_containers():
        yield from _env_from(path, container, objects)
        for index, variable in enumerate(container.env):
            if variable.value_from is not None:
                here = f"{path}.env[{index}]"
                if variable.value:
                    yield Problem(path=here, message="has both value and valueFrom")
                yield from _variable(f"{here}.valueFrom", pod, variable.value_from, objects)


def _env_from(path: str, container: Container, objects: _Objects) -> Iterator[Problem]:
    for index, source in enumerate(container.env_from):
        here = f"{path}.envFrom[{index}]"
        config_map, secret = source.config_map_ref, source.secret_ref
        if (config_map is None) == (secret is None):
            yield Problem(path=here, message="needs exactly one of configMapRef and secretRef")
        if config_map is not None:
            yield from objects.whole(
                f"{here}.configMapRef.name", "ConfigMap", config_map.name, optional=config_map.optional
            )
        if secret is not None:
            yield from objects.whole(f"{here}.secretRef.name", "Secret", secret.name, optional=secret.optional)


def _variable(path: str, pod: Pod, source: EnvVarSource, objects: _Objects) -> Iterator[Problem]:
    config_map, secret = source.config_map_key_ref, source.secret_key_ref
    given = [ref for ref in (source.field_ref, source.resource_field_ref, config_map, secret) if ref is not None]
    if len(given) != 1:
        yield Problem(path=path, message="needs exactly one source")
    if source.field_ref is not None:
        yield from _field(f"{path}.fieldRef.fieldPath", source.field_ref, ENV_FIELDS)
    if source.resource_field_ref is not None:
        yield from _resource(f"{path}.resourceFieldRef", pod, source.resource_field_ref, named=False)
    if config_map is not None:
        here = f"{path}.configMapKeyRef"
        yield from objects.key(here, "ConfigMap", config_map.name, config_map.key, optional=config_map.optional)
    if secret is not None:
        yield from objects.key(f"{path}.secretKeyRef", "Secret", secret.name, secret.key, optional=secret.optional)


def _field(path: str, reference: ObjectFieldSelector, allowed: frozenset[str]) -> Iterator[Problem]:
    if reference.field_path not in allowed and not _KEYED_FIELD.fullmatch(reference.field_path):
        message = f"{reference.field_path!r} cannot be used here; known: {', '.join(sorted(allowed))}"
        yield Problem(path=path, message=f"{message}, metadata.labels['KEY'], metadata.annotations['KEY']")


def _resource(path: str, pod: Pod, reference: ResourceFieldSelector, *, named: bool) -> Iterator[Problem]:
    if not _RESOURCE.fullmatch(reference.resource):
        yield Problem(path=f"{path}.resource", message=f"{reference.resource!r} is not limits.NAME or requests.NAME")
    if named and not reference.container_name:
        yield Problem(path=f"{path}.containerName", message="is required in a volume")
    if reference.container_name and pod.find_container(reference.container_name) is None:
        message = f"no container is named {reference.container_name!r}"
        yield Problem(path=f"{path}.containerName", message=message)
    try:
        if parse_nano(reference.divisor) < 0:
            yield Problem(path=f"{path}.divisor", message="is negative")
    except InvalidArgument as failure:
        yield Problem(path=f"{path}.divisor", message=str(failure))


def _volume(path: str, pod: Pod, volume: Volume, objects: _Objects) -> Iterator[Problem]:
    if (config_map := volume.config_map) is not None:
        here = f"{path}.configMap"
        yield from objects.items(here, "ConfigMap", config_map.name, config_map.items, optional=config_map.optional)
    if (secret := volume.secret) is not None:
        here = f"{path}.secret"
        yield from objects.items(here, "Secret", secret.secret_name, secret.items, optional=secret.optional)
    if volume.downward_api is not None:
        yield from _downward(f"{path}.downwardAPI", pod, volume.downward_api.items)
    if volume.projected is None:
        return
    for index, source in enumerate(volume.projected.sources):
        here = f"{path}.projected.sources[{index}]"
        for kind, projection in (("ConfigMap", source.config_map), ("Secret", source.secret)):
            if projection is not None:
                yield from objects.items(here, kind, projection.name, projection.items, optional=projection.optional)
        if source.downward_api is not None:
            yield from _downward(f"{here}.downwardAPI", pod, source.downward_api.items)


def _downward(path: str, pod: Pod, items: tuple[DownwardApiFile, ...]) -> Iterator[Problem]:
    for index, item in enumerate(items):
        here = f"{path}.items[{index}]"
        field_ref = item.field_ref
        resource_ref = item.resource_field_ref
        if (field_ref is None) == (resource_ref is None):
            yield Problem(path=here, message="needs exactly one of fieldRef and resourceFieldRef")
        if field_ref is not None:
            yield from _field(f"{here}.fieldRef.fieldPath", field_ref, VOLUME_FIELDS)
        if resource_ref is not None:
            yield from _resource(f"{here}.resourceFieldRef", pod, resource_ref, named=True)
