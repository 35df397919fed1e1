"""The interface by which the agent reads ConfigMaps and Secrets."""

from __future__ import annotations

from typing import Protocol

from podwright.k8s.objects import ConfigMap, Pod, Secret


class ObjectGetter(Protocol):
    """Objects by namespace and name. Raises a PodwrightError if they cannot be read now."""

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """None when there is none."""

    async def secret(self, namespace: str, name: str) -> Secret | None:
        """None when there is none."""

    def register(self, pod: Pod) -> None:
        """Keep the objects that the pod refers to in memory until `unregister`.

        A new version replaces the one before.
        """

    def unregister(self, pod: Pod) -> None:
        """Drop the objects that no other pod needs."""
