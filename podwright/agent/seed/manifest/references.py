"""References from the Pod to ConfigMaps, Secrets and its own containers. Pure.

A cluster could still get a missing object later; a file cannot, so what is missing is a fault now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from podwright.agent.seed.manifest.container import Container, EnvVarSource
from podwright.agent.seed.manifest.payload import PayloadObject
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.manifest.volume import DownwardApiFile, KeyToPath, ResourceFieldSelector, Volume
from podwright.k8s.problems import Problem, not_found

Objects = Mapping[str, PayloadObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Documents:
    config_maps: Objects
    secrets: Objects

    def of_kind(self, kind: str) -> Objects:
        return self.config_maps if kind == "ConfigMap" else self.secrets

    def whole(self, path: str, kind: str, name: str, *, optional: bool) -> Iterator[Problem]:
        if name not in self.of_kind(kind) and not optional:
            yield Problem(path=path, message=f"the file holds no {kind} named {name!r}")

    def variable(self, path: str, kind: str, name: str, key: str, *, optional: bool) -> Iterator[Problem]:
        yield from self.whole(path, kind, name, optional=optional)
        found = self.of_kind(kind).get(name)
        if found is None or optional or key in found.variables():
            return
        message = f"{kind} {name!r} has no key {key!r}"
        if key in found.payload:
            message = f"key {key!r} of {kind} {name!r} is in binaryData, which never becomes a variable"
        yield Problem(path=path, message=message)

    def files(
        self, path: str, kind: str, name: str, items: tuple[KeyToPath, ...], *, optional: bool
    ) -> Iterator[Problem]:
        yield from self.whole(path, kind, name, optional=optional)
        found = self.of_kind(kind).get(name)
        for index, item in enumerate(items):
            if found is not None and item.key not in found.payload and not optional:
                yield Problem(path=f"{path}.items[{index}].key", message=f"{kind} {name!r} has no key {item.key!r}")


def validate_references(pod: Pod, config_maps: Objects, secrets: Objects) -> Iterator[Problem]:
    """Every reference that leads nowhere."""
    documents = _Documents(config_maps=config_maps, secrets=secrets)
    for index, reference in enumerate(pod.spec.image_pull_secrets):
        yield from documents.whole(f"spec.imagePullSecrets[{index}].name", "Secret", reference.name, optional=False)
    for index, volume in enumerate(pod.spec.volumes):
        yield from _volume(f"spec.volumes[{index}]", pod, volume, documents)
    for path, container in pod.all_containers():
        yield from _env_from(path, container, documents)
        for index, variable in enumerate(container.env):
            if variable.value_from is not None:
                yield from _variable(f"{path}.env[{index}].valueFrom", pod, variable.value_from, documents)


def _env_from(path: str, container: Container, documents: _Documents) -> Iterator[Problem]:
    for index, source in enumerate(container.env_from):
        here = f"{path}.envFrom[{index}]"
        for wire, kind, reference in (
            ("configMapRef", "ConfigMap", source.config_map_ref),
            ("secretRef", "Secret", source.secret_ref),
        ):
            if reference is not None:
                yield from documents.whole(f"{here}.{wire}.name", kind, reference.name, optional=reference.optional)


def _variable(path: str, pod: Pod, source: EnvVarSource, documents: _Documents) -> Iterator[Problem]:
    if source.resource_field_ref is not None:
        yield from _resource(f"{path}.resourceFieldRef", pod, source.resource_field_ref)
    for wire, kind, selector in (
        ("configMapKeyRef", "ConfigMap", source.config_map_key_ref),
        ("secretKeyRef", "Secret", source.secret_key_ref),
    ):
        if selector is not None:
            here, optional = f"{path}.{wire}", selector.optional
            yield from documents.variable(here, kind, selector.name, selector.key, optional=optional)


def _resource(path: str, pod: Pod, reference: ResourceFieldSelector) -> Iterator[Problem]:
    if reference.container_name and pod.find_container(reference.container_name) is None:
        yield not_found(f"{path}.containerName", reference.container_name)


def _volume(path: str, pod: Pod, volume: Volume, documents: _Documents) -> Iterator[Problem]:
    if (config_map := volume.config_map) is not None:
        here, optional = f"{path}.configMap", config_map.optional
        yield from documents.files(here, "ConfigMap", config_map.name, config_map.items, optional=optional)
    if (secret := volume.secret) is not None:
        here, optional = f"{path}.secret", secret.optional
        yield from documents.files(here, "Secret", secret.secret_name, secret.items, optional=optional)
    if volume.downward_api is not None:
        yield from _downward(f"{path}.downwardAPI", pod, volume.downward_api.items)
    for index, source in enumerate(volume.projected.sources if volume.projected else ()):
        here = f"{path}.projected.sources[{index}]"
        for wire, kind, chosen in (
            ("configMap", "ConfigMap", source.config_map),
            ("secret", "Secret", source.secret),
        ):
            if chosen is not None:
                where, optional = f"{here}.{wire}", chosen.optional
                yield from documents.files(where, kind, chosen.name, chosen.items, optional=optional)
        if source.downward_api is not None:
            yield from _downward(f"{here}.downwardAPI", pod, source.downward_api.items)


def _downward(path: str, pod: Pod, items: tuple[DownwardApiFile, ...]) -> Iterator[Problem]:
    for index, item in enumerate(items):
        if item.resource_field_ref is not None:
            yield from _resource(f"{path}.items[{index}].resourceFieldRef", pod, item.resource_field_ref)
