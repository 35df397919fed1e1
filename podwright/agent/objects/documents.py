"""ConfigMaps and Secrets from files: an `ObjectGetter` that needs no API server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from podwright.k8s.objects import ConfigMap, Pod, Secret

T = TypeVar("T", ConfigMap, Secret)


class DocumentObjects:
    """See `ObjectGetter`. Everything is in memory, so pods need not be registered."""

    def __init__(self, config_maps: Iterable[ConfigMap] = (), secrets: Iterable[Secret] = ()) -> None:
        self._config_maps = _by_name(config_maps)
        self._secrets = _by_name(secrets)

    def set(self, config_maps: Iterable[ConfigMap], secrets: Iterable[Secret]) -> None:
        """Replace all objects, because the files have changed."""
        self._config_maps = _by_name(config_maps)
        self._secrets = _by_name(secrets)

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        return self._config_maps.get((namespace, name))

    async def secret(self, namespace: str, name: str) -> Secret | None:
        return self._secrets.get((namespace, name))

    def register(self, pod: Pod) -> None:
        pass

    def unregister(self, pod: Pod) -> None:
        pass


def _by_name(objects: Iterable[T]) -> dict[tuple[str, str], T]:
    return {(each.metadata.namespace, each.metadata.name): each for each in objects}
