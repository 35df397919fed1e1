"""The ConfigMaps, Secrets and services that a pod refers to, fetched once for one use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.pods.references import References, pod_references
from podwright.errors import NotFound
from podwright.k8s.objects import ConfigMap, Pod, Secret, Service

T = TypeVar("T")


class PodObjects(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot. An object that does not exist is not in it. `services` None: they have not been listed yet."""

    namespace: str
    config_maps: Mapping[str, ConfigMap] = msgspec.field(default_factory=dict)
    secrets: Mapping[str, Secret] = msgspec.field(default_factory=dict)
    services: tuple[Service, ...] | None = ()

    def config_map(self, name: str, *, optional: bool | None) -> ConfigMap | None:
        """The ConfigMap, or None for an optional one that does not exist. Raises NotFound."""
        return _found(self.config_maps.get(name), "configmap", name, optional)

    def secret(self, name: str, *, optional: bool | None) -> Secret | None:
        """The Secret, or None for an optional one that does not exist. Raises NotFound."""
        return _found(self.secrets.get(name), "secret", name, optional)


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
