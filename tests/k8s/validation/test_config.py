"""ConfigMaps and Secrets that the API server takes and refuses."""

from __future__ import annotations

import base64

import pytest

from podwright.k8s.objects import ConfigMap, ObjectMeta, Secret
from podwright.k8s.validation.config import SIZE_LIMIT, validate_config_map, validate_secret

META = ObjectMeta(name="a")


def config(**data: object) -> list[str]:
    return [str(item) for item in validate_config_map(ConfigMap(metadata=META, **data))]  # type: ignore[arg-type]


def secret(kind: str, data: dict[str, bytes]) -> list[str]:
    return [str(item) for item in validate_secret(Secret(metadata=META, type=kind, data=data))]


def test_sizes() -> None:
    assert config(data={"a": "x" * SIZE_LIMIT}) == []
    assert config(data={"a": "x" * (SIZE_LIMIT - 1)}, binary_data={"b": b"xx"}) == [
        "Too long: may not be more than 1048576 bytes"
    ]
    assert config(data={"a": "ü" * (SIZE_LIMIT // 2 + 1)}) == ["Too long: may not be more than 1048576 bytes"]
    assert secret("", {"a": b"x" * (SIZE_LIMIT + 1)}) == ["data: Too long: may not be more than 1048576 bytes"]


def test_keys() -> None:
    assert config(data={"a": "x"}, binary_data={"a": b"x"}) == [
        'data[a]: Invalid value: "a": duplicate of key present in binaryData'
    ]
    (fault,) = config(binary_data={"a/b": b""})
    assert fault.startswith('binaryData[a/b]: Invalid value: "a/b": a valid config key')
    (fault,) = secret("Opaque", {"..a": b""})
    assert fault == "data[..a]: Invalid value: \"..a\": must not start with '..'"


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": b"{}"}, []),
        ("kubernetes.io/dockerconfigjson", {}, ["data[.dockerconfigjson]: Required value"]),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": b"secret"}, ["is not JSON"]),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": b"[]"}, ["is not a JSON object"]),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": b"[" * 99_999}, ["is not JSON"]),
        ("kubernetes.io/dockercfg", {".dockercfg": b"\xff"}, ["is not JSON"]),
        ("kubernetes.io/tls", {"tls.crt": b""}, ["data[tls.key]: Required value"]),
        ("kubernetes.io/basic-auth", {}, ["data[username]: Required value", "data[password]: Required value"]),
        ("kubernetes.io/basic-auth", {"password": b""}, []),
        ("kubernetes.io/ssh-auth", {"ssh-privatekey": b""}, ["data[ssh-privatekey]: Required value"]),
        ("kubernetes.io/service-account-token", {}, ["metadata.annotations[kubernetes.io/service-account.name]"]),
        ("my/type", {}, []),
    ],
)
def test_types(kind: str, data: dict[str, bytes], expected: list[str]) -> None:
    found = secret(kind, data)
    assert len(found) == len(expected)
    assert all(part in fault for part, fault in zip(expected, found, strict=True))
    assert not any(base64.b64encode(b"secret").decode() in fault or '"secret"' in fault for fault in found)
