"""The ConfigMaps, Secrets and services that a pod refers to, fetched once for one use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.pods.containers import AnyContainer, all_containers
from podwright.errors import NotFound
from podwright.k8s.objects import ConfigMap, Pod, Secret, Service, Volume

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Names of ConfigMaps and Secrets in the pod's namespace."""

    config_maps: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()

    def __or__(self, other: References) -> References:
        return References(config_maps=self.config_maps | other.config_maps, secrets=self.secrets | other.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodObjects:
    """A snapshot. An object that does not exist is not in it. `services` None: they have not been listed yet."""

    namespace: str
    config_maps: Mapping[str, ConfigMap] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    services: tuple[Service, ...] | None = ()

    def config_map(self, name: str, *, optional: bool | None) -> ConfigMap | None:
        """The ConfigMap, or None for an optional one that does not exist. Raises NotFound."""
        return _found(self.config_maps.get(name), "configmap", name, optional)

    def secret(self, name: str, *, optional: bool | None) -> Secret | None:
        """The Secret, or None for an optional one that does not exist. Raises NotFound."""
        return _found(self.secrets.get(name), "secret", name, optional)


def container_references(container: AnyContainer) -> References:
    """What the environment of a container refers to."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for source in container.env_from:
        config_maps.update([source.config_map_ref.name] if source.config_map_ref else ())
        secrets.update([source.secret_ref.name] if source.secret_ref else ())
    for value in (variable.value_from for variable in container.env):
        if value is not None:
            config_maps.update([value.config_map_key_ref.name] if value.config_map_key_ref else ())
            secrets.update([value.secret_key_ref.name] if value.secret_key_ref else ())
    return References(config_maps=frozenset(config_maps), secrets=frozenset(secrets))


def volume_references(volumes: Iterable[Volume]) -> References:
    """What configMap, secret and projected volumes refer to."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for volume in volumes:
        config_maps.update([volume.config_map.name] if volume.config_map else ())
        secrets.update([volume.secret.secret_name] if volume.secret else ())
        for source in volume.projected.sources if volume.projected else ():
            config_maps.update([source.config_map.name] if source.config_map else ())
            secrets.update([source.secret.name] if source.secret else ())
    return References(config_maps=frozenset(config_maps), secrets=frozenset(secrets))


def pod_references(pod: Pod) -> References:
    """What the pod's containers and volumes refer to."""
    references = volume_references(pod.spec.volumes)
    for container in all_containers(pod):
        references |= container_references(container)
    return references


async def gather(
    pod: Pod,
    getter: ObjectGetter,
    *,
    references: References | None = None,
    services: tuple[Service, ...] | None = (),
) -> PodObjects:
    """Fetch what `references` name, by default everything that the pod refers to. Raises PodwrightError."""
    wanted, namespace = pod_references(pod) if references is None else references, pod.metadata.namespace
    config_maps = {name: await getter.config_map(namespace, name) for name in sorted(wanted.config_maps)}
    secrets = {name: await getter.secret(namespace, name) for name in sorted(wanted.secrets)}
    return PodObjects(
        namespace=namespace,
        config_maps={name: found for name, found in config_maps.items() if found is not None},
        secrets={name: found for name, found in secrets.items() if found is not None},
        services=services,
    )


def _found(value: T | None, kind: str, name: str, optional: bool | None) -> T | None:
    if value is None and not optional:
        raise NotFound(f'{kind} "{name}" not found')
    return value
