"""Finds the ConfigMaps and Secrets that a pod refers to. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from podwright.agent.pods.containers import AnyContainer, all_containers
from podwright.k8s.objects import Pod, Volume


class References(msgspec.Struct, frozen=True, kw_only=True):
    """Names of ConfigMaps and Secrets in the pod's namespace."""

    config_maps: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()

    def __or__(self, other: References) -> References:
        return References(config_maps=self.config_maps | other.config_maps, secrets=self.secrets | other.secrets)


def container_references(container: AnyContainer) -> References:
    """The ConfigMaps and Secrets in a container's environment."""
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
    """The references of configMap, secret and projected volumes."""
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
    """The references of the pod's containers and volumes."""
    references = volume_references(pod.spec.volumes)
    for container in all_containers(pod):
        references |= container_references(container)
    return references
