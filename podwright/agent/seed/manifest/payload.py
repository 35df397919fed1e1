"""ConfigMaps and Secrets as a pod uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadObject:
    """A ConfigMap's or Secret's bytes by key, and a Secret's type.

    `binary` are the keys of a ConfigMap's binaryData, which become files and never variables.
    """

    payload: Mapping[str, bytes]
    type: str = ""
    binary: frozenset[str] = frozenset()

    def variables(self) -> dict[str, bytes]:
        """What may become environment variables."""
        return {key: value for key, value in self.payload.items() if key not in self.binary}
