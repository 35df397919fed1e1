"""The ConfigMaps and Secrets that a volume is made of. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from podwright.agent.pods.references import volume_references
from podwright.k8s.objects import Volume


class Reference(msgspec.Struct, frozen=True):
    """A ConfigMap or Secret."""

    kind: Literal["ConfigMap", "Secret"]
    namespace: str
    name: str


def references_of(volume: Volume, namespace: str) -> frozenset[Reference]:
    """The objects that the volume's files come from."""
    found = volume_references([volume])
    config_maps = {Reference("ConfigMap", namespace, name) for name in found.config_maps}
    return frozenset(config_maps | {Reference("Secret", namespace, name) for name in found.secrets})
