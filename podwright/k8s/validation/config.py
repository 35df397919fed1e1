"""ConfigMaps and Secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from podwright.k8s.names import config_key_faults
from podwright.k8s.objects.config import ConfigMap, Secret
from podwright.k8s.problems import Problem, invalid, required, too_long
from podwright.k8s.validation.metadata import validate_metadata

SIZE_LIMIT = 1024 * 1024
# What a Secret of a type must hold. The keys of kubernetes.io/basic-auth: one of the two is enough.
_NEEDED = {"kubernetes.io/tls": ("tls.crt", "tls.key")}
_DOCKER_FILES = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}
_ACCOUNT_NAME = "kubernetes.io/service-account.name"


def validate_config_map(config_map: ConfigMap) -> Iterator[Problem]:
    """Keys, size, and no key in both maps."""
    yield from validate_metadata(config_map.metadata)
    yield from _keys("data", config_map.data)
    yield from _keys("binaryData", config_map.binary_data)
    for key in config_map.data:
        if key in config_map.binary_data:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    sizes = [len(value.encode()) for value in config_map.data.values()]
    if sum(sizes) + sum(len(value) for value in config_map.binary_data.values()) > SIZE_LIMIT:
        yield too_long("", SIZE_LIMIT)


def validate_secret(secret: Secret) -> Iterator[Problem]:
    """Keys, size, and what its type asks for. Values are never shown."""
    yield from validate_metadata(secret.metadata)
    yield from _keys("data", secret.data)
    if sum(len(value) for value in secret.data.values()) > SIZE_LIMIT:
        yield too_long("data", SIZE_LIMIT)
    for key in _NEEDED.get(secret.type, ()):
        if key not in secret.data:
            yield required(f"data[{key}]")
    if secret.type in _DOCKER_FILES:
        yield from _docker_file(secret, _DOCKER_FILES[secret.type])
    if secret.type == "kubernetes.io/service-account-token" and not secret.metadata.annotations.get(_ACCOUNT_NAME):
        yield required(f"metadata.annotations[{_ACCOUNT_NAME}]")
    if secret.type == "kubernetes.io/basic-auth" and not {"username", "password"} & set(secret.data):
        yield required("data[username]")
        yield required("data[password]")
    if secret.type == "kubernetes.io/ssh-auth" and not secret.data.get("ssh-privatekey"):
        yield required("data[ssh-privatekey]")


def _keys(path: str, values: Mapping[str, object]) -> Iterator[Problem]:
    for key in values:
        faults: Iterable[str] = config_key_faults(key)
        yield from (invalid(f"{path}[{key}]", key, fault) for fault in faults)


def _docker_file(secret: Secret, key: str) -> Iterator[Problem]:
    if key not in secret.data:
        yield required(f"data[{key}]")
        return
    try:
        fault = "" if isinstance(json.loads(secret.data[key]), dict) else "is not a JSON object"
    except (ValueError, RecursionError):
        fault = "is not JSON"
    if fault:
        yield invalid(f"data[{key}]", "<secret contents redacted>", fault)
