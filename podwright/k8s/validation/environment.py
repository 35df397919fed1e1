"""Environment variables and the fields of the pod that variables and files may show."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podwright.k8s.names import (
    backstep_faults,
    config_key_faults,
    env_name_faults,
    label_faults,
    qualified_name_faults,
    subdomain_faults,
)
from podwright.k8s.objects.container import Container, EphemeralContainer
from podwright.k8s.objects.environment import (
    ConfigMapKeySelector,
    EnvVar,
    EnvVarSource,
    FileKeySelector,
    SecretKeySelector,
)
from podwright.k8s.objects.references import ObjectFieldSelector, ResourceFieldSelector
from podwright.k8s.problems import Problem, invalid, required, unsupported
from podwright.k8s.quantity import parse
from podwright.k8s.validation.common import named
from podwright.k8s.validation.resources import quantity

ENV_FIELDS = frozenset(
    {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"}
    | {"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"}
)
VOLUME_FIELDS = frozenset(
    {"metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations"}
)
RESOURCES = frozenset(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "memory", "ephemeral-storage")
)
_CPU_DIVISORS = ("1m", "1")
_BYTE_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_SUBSCRIPT = re.compile(r"([^\[]+)\['(.*)'\]")
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")


def validate_environment(path: str, container: Container | EphemeralContainer) -> Iterator[Problem]:
    """A container's env and envFrom."""
    for index, variable in enumerate(container.env):
        here = f"{path}.env[{index}]"
        yield from named(f"{here}.name", variable.name, env_name_faults)
        if variable.value_from is not None:
            yield from _value_from(f"{here}.valueFrom", variable, variable.value_from)
    for index, source in enumerate(container.env_from):
        here = f"{path}.envFrom[{index}]"
        yield from named(f"{here}.prefix", source.prefix, env_name_faults, needed=False)
        given = [ref for ref in (source.config_map_ref, source.secret_ref) if ref is not None]
        for wire, ref in (("configMapRef", source.config_map_ref), ("secretRef", source.secret_ref)):
            if ref is not None:
                yield from named(f"{here}.{wire}.name", ref.name, subdomain_faults)
        if not given:
            yield invalid(here, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(given) > 1:
            yield invalid(here, "", "may not have more than one field specified at a time")


def _value_from(path: str, variable: EnvVar, source: EnvVarSource) -> Iterator[Problem]:
    given = 0
    if source.field_ref is not None:
        given += 1
        yield from validate_field(f"{path}.fieldRef", source.field_ref, ENV_FIELDS)
    if source.resource_field_ref is not None:
        given += 1
        yield from validate_resource_field(f"{path}.resourceFieldRef", source.resource_field_ref, in_volume=False)
    for wire, key in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
        if key is not None:
            given += 1
            yield from _key(f"{path}.{wire}", key)
    if source.file_key_ref is not None:
        given += 1
        yield from _file_key(f"{path}.fileKeyRef", source.file_key_ref)
    if not given:
        choices = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield invalid(path, "", f"must specify one of: {choices}")
    elif variable.value:
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif given > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def _key(path: str, selector: ConfigMapKeySelector | SecretKeySelector) -> Iterator[Problem]:
    yield from (invalid(f"{path}.name", selector.name, fault) for fault in subdomain_faults(selector.name))
    yield from named(f"{path}.key", selector.key, config_key_faults)


def _file_key(path: str, selector: FileKeySelector) -> Iterator[Problem]:
    yield from named(f"{path}.key", selector.key, env_name_faults)
    yield from named(f"{path}.volumeName", selector.volume_name, label_faults)
    yield from named(f"{path}.path", selector.path, backstep_faults)


def validate_field(path: str, selector: ObjectFieldSelector, allowed: frozenset[str]) -> Iterator[Problem]:
    """A field of the pod: one of the allowed, or one label or annotation."""
    if not selector.field_path:
        yield required(f"{path}.fieldPath")
        return
    if selector.api_version != "v1":
        yield invalid(f"{path}.apiVersion", selector.api_version, "only v1 is known")
    subscript = _SUBSCRIPT.fullmatch(selector.field_path)
    if subscript is None:
        if selector.field_path not in allowed:
            yield unsupported(f"{path}.fieldPath", selector.field_path, allowed)
        return
    owner, key = subscript.groups()
    if owner not in ("metadata.labels", "metadata.annotations"):
        yield invalid(f"{path}.fieldPath", owner, "does not support subscript")
        return
    name = key.lower() if owner == "metadata.annotations" else key
    yield from (invalid(f"{path}.fieldPath", key, fault) for fault in qualified_name_faults(name))


def validate_resource_field(path: str, selector: ResourceFieldSelector, *, in_volume: bool) -> Iterator[Problem]:
    """A request or limit of a container, in a volume of a container by name."""
    resource = selector.resource
    if in_volume and not selector.container_name:
        yield required(f"{path}.containerName")
    elif not resource:
        yield required(f"{path}.resource")
    elif resource not in RESOURCES and not resource.startswith(_HUGE_PAGES):
        yield unsupported(f"{path}.resource", resource, RESOURCES)
    faults = list(quantity(f"{path}.divisor", selector.divisor or "0"))
    yield from faults
    if not faults:
        yield from _divisor(path, resource, str(parse(selector.divisor or "0")))


def _divisor(path: str, resource: str, divisor: str) -> Iterator[Problem]:
    allowed = _CPU_DIVISORS if resource.endswith(".cpu") else _BYTE_DIVISORS
    if divisor != "0" and divisor not in allowed:
        name = resource.partition(".")[2] or "this"
        message = f"only divisor's values {', '.join(allowed)} are supported with the {name} resource"
        yield invalid(f"{path}.divisor", divisor, message)
