"""An `ObjectGetter` that has what a test puts into it."""

from __future__ import annotations

from podwright.errors import PodwrightError
from podwright.k8s.objects import ConfigMap, Pod, Secret


class FakeObjects:
    """Objects by (namespace, name)."""

    def __init__(self) -> None:
        self.config_maps: dict[tuple[str, str], ConfigMap] = {}
        self.secrets: dict[tuple[str, str], Secret] = {}
        self.down: PodwrightError | None = None

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        if self.down is not None:
            raise self.down
        return self.config_maps.get((namespace, name))

    async def secret(self, namespace: str, name: str) -> Secret | None:
        if self.down is not None:
            raise self.down
        return self.secrets.get((namespace, name))

    def register(self, pod: Pod) -> None:
        pass

    def unregister(self, pod: Pod) -> None:
        pass
