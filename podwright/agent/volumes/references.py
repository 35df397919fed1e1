"""Which ConfigMaps and Secrets a volume is made of. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from podwright.k8s.objects import Volume


@dataclass(frozen=True, slots=True)
class Reference:
    """An object of the API."""

    kind: Literal["ConfigMap", "Secret"]
    namespace: str
    name: str


def references_of(volume: Volume, namespace: str) -> frozenset[Reference]:
    """The objects that the volume's files come from."""
    found: set[Reference] = set()
    if volume.config_map is not None:
        found.add(Reference("ConfigMap", namespace, volume.config_map.name))
    if volume.secret is not None:
        found.add(Reference("Secret", namespace, volume.secret.secret_name))
    for source in volume.projected.sources if volume.projected is not None else ():
        if source.config_map is not None:
            found.add(Reference("ConfigMap", namespace, source.config_map.name))
        if source.secret is not None:
            found.add(Reference("Secret", namespace, source.secret.name))
    return frozenset(found)
