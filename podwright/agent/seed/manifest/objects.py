"""ConfigMaps and Secrets that stand beside the Pod in its file."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

from msgspec import field

from podwright.agent.seed.manifest.node import Node, names
from podwright.agent.seed.manifest.problems import Problem


class ObjectMetadata(Node, frozen=True, kw_only=True):
    """Names; the rest changes nothing on one machine."""

    WARNED: ClassVar = names(
        "selfLink resourceVersion generation creationTimestamp deletionTimestamp deletionGracePeriodSeconds "
        "ownerReferences finalizers managedFields generateName"
    )
    name: str
    namespace: str = "default"
    uid: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


class ConfigMap(Node, frozen=True, kw_only=True):
    """Plain data."""

    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: ObjectMetadata
    data: dict[str, str] = field(default_factory=dict)
    binary_data: dict[str, str] = field(default_factory=dict)
    immutable: bool = False


class Secret(Node, frozen=True, kw_only=True):
    """Data that is kept off disks and out of messages."""

    api_version: Literal["v1"]
    kind: Literal["Secret"]
    metadata: ObjectMetadata
    data: dict[str, str] = field(default_factory=dict)
    string_data: dict[str, str] = field(default_factory=dict)
    type: str = "Opaque"
    immutable: bool = False


def config_map_payload(config_map: ConfigMap, fault: Callable[[Problem], None]) -> Mapping[str, bytes]:
    """Key to bytes; keys that are in both maps and bad base64 go to `fault`."""
    payload = {key: value.encode() for key, value in config_map.data.items()}
    for key, value in config_map.binary_data.items():
        if key in payload:
            fault(Problem(path=f"binaryData[{key}]", message="is in data too"))
        payload[key] = _decoded(f"binaryData[{key}]", value, fault)
    return payload


def secret_payload(secret: Secret, fault: Callable[[Problem], None]) -> Mapping[str, bytes]:
    """Key to bytes; stringData wins over data, as in the API."""
    payload = {key: _decoded(f"data[{key}]", value, fault) for key, value in secret.data.items()}
    payload.update({key: value.encode() for key, value in secret.string_data.items()})
    return payload


def _decoded(path: str, value: str, fault: Callable[[Problem], None]) -> bytes:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        # The value is not shown: it may be a secret.
        fault(Problem(path=path, message="is not base64"))
        return b""
