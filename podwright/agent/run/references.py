"""Finds references from pods to ConfigMaps and Secrets that the files lack. Pure.

In a cluster a missing object may be created later. In files it is a fault, found before anything starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from podwright.k8s.objects import ConfigMap, Container, KeyToPath, PodSpec, Secret, Volume
from podwright.k8s.problems import Problem


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of an object. `binary` ones never become variables."""

    all: frozenset[str]
    binary: frozenset[str] = frozenset()


class KnownObjects:
    """The ConfigMaps and Secrets of one namespace."""

    def __init__(self, config_maps: Iterable[ConfigMap], secrets: Iterable[Secret]) -> None:
        self._keys: dict[tuple[str, str], Keys] = {}
        for config_map in config_maps:
            binary = frozenset(config_map.binary_data)
            keys = Keys(all=binary | frozenset(config_map.data), binary=binary)
            self._keys["ConfigMap", config_map.metadata.name] = keys
        for secret in secrets:
            self._keys["Secret", secret.metadata.name] = Keys(all=frozenset(secret.data))

    def missing(self, path: str, kind: str, name: str, *, optional: bool | None) -> Iterator[Problem]:
        """A fault if the object is missing."""
        if (kind, name) not in self._keys and not optional:
            hint = "add it to the files, or set optional: true"
            yield Problem(path=path, message=f"no {kind} {name!r} is in the files", hint=hint)

    def variable(self, path: str, kind: str, name: str, key: str, *, optional: bool | None) -> Iterator[Problem]:
        """A fault if a key for a variable is missing."""
        yield from self.missing(path, kind, name, optional=optional)
        keys = self._keys.get((kind, name))
        if keys is None or optional:
            return
        if key in keys.binary:
            message = f"key {key!r} of {kind} {name!r} is in binaryData, which never becomes a variable"
            yield Problem(path=path, message=message)
        elif key not in keys.all:
            yield Problem(path=path, message=f"{kind} {name!r} has no key {key!r}")

    def files(
        self, path: str, kind: str, name: str, items: tuple[KeyToPath, ...], *, optional: bool | None
    ) -> Iterator[Problem]:
        """Faults for missing keys for files."""
        yield from self.missing(path, kind, name, optional=optional)
        keys = self._keys.get((kind, name))
        for index, item in enumerate(items):
            if keys is not None and item.key not in keys.all and not optional:
                yield Problem(path=f"{path}.items[{index}].key", message=f"{kind} {name!r} has no key {item.key!r}")


def missing_references(spec: PodSpec, known: KnownObjects, path: str = "spec") -> Iterator[Problem]:
    """Every reference of a pod to an object or key that the files lack. `path` is the field path of the spec."""
    for index, reference in enumerate(spec.image_pull_secrets):
        where = f"{path}.imagePullSecrets[{index}].name"
        yield from known.missing(where, "Secret", reference.name, optional=False)
    for index, volume in enumerate(spec.volumes):
        yield from _volume(f"{path}.volumes[{index}]", volume, known)
    for wire, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            yield from _container(f"{path}.{wire}[{index}]", container, known)


def _container(path: str, container: Container, known: KnownObjects) -> Iterator[Problem]:
    for index, source in enumerate(container.env_from):
        here = f"{path}.envFrom[{index}]"
        if (chosen := source.config_map_ref) is not None:
            where = f"{here}.configMapRef.name"
            yield from known.missing(where, "ConfigMap", chosen.name, optional=chosen.optional)
        if (secret := source.secret_ref) is not None:
            yield from known.missing(f"{here}.secretRef.name", "Secret", secret.name, optional=secret.optional)
    for index, variable in enumerate(container.env):
        value, here = variable.value_from, f"{path}.env[{index}].valueFrom"
        if value is None:
            continue
        if (key := value.config_map_key_ref) is not None:
            where = f"{here}.configMapKeyRef"
            yield from known.variable(where, "ConfigMap", key.name, key.key, optional=key.optional)
        if (from_secret := value.secret_key_ref) is not None:
            where, optional = f"{here}.secretKeyRef", from_secret.optional
            yield from known.variable(where, "Secret", from_secret.name, from_secret.key, optional=optional)


def _volume(path: str, volume: Volume, known: KnownObjects) -> Iterator[Problem]:
    if (config_map := volume.config_map) is not None:
        where, optional = f"{path}.configMap", config_map.optional
        yield from known.files(where, "ConfigMap", config_map.name, config_map.items, optional=optional)
    if (secret := volume.secret) is not None:
        where = f"{path}.secret"
        yield from known.files(where, "Secret", secret.secret_name, secret.items, optional=secret.optional)
    for index, source in enumerate(volume.projected.sources if volume.projected else ()):
        here = f"{path}.projected.sources[{index}]"
        for wire, kind, chosen in (
            ("configMap", "ConfigMap", source.config_map),
            ("secret", "Secret", source.secret),
        ):
            if chosen is not None:
                where, optional = f"{here}.{wire}", chosen.optional
                yield from known.files(where, kind, chosen.name, chosen.items, optional=optional)
