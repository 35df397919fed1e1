"""An `ObjectGetter` for an agent without an API server: there are no objects."""

from __future__ import annotations

from podwright.k8s.objects import ConfigMap, Pod, Secret


class NoObjects:
    """Has no objects."""

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:  # noqa: ARG002 # the protocol's
        return None

    async def secret(self, namespace: str, name: str) -> Secret | None:  # noqa: ARG002 # the protocol's
        return None

    def register(self, pod: Pod) -> None:
        pass

    def unregister(self, pod: Pod) -> None:
        pass
