"""The environment of a container. Pure.

Values are text. Bytes of Secrets that are not UTF-8 are kept as lone surrogates (`surrogateescape`), so that they can
be expanded into other values unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from podwright.agent.configs.downward import field_text, resource_text
from podwright.agent.configs.expansion import expand
from podwright.agent.configs.node import NodeFacts
from podwright.agent.configs.objects import PodObjects
from podwright.agent.configs.service_links import service_links
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.identity import is_static
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound
from podwright.k8s.objects import (
    ConfigMapKeySelector,
    EnvFromSource,
    EnvVarSource,
    FileKeySelector,
    Pod,
    SecretKeySelector,
)

Environment = dict[str, str]
# The value of a fileKeyRef, empty if the file lacks the key. Raises PodwrightError.
FileValue = Callable[[FileKeySelector], str]


class EnvironmentSources(msgspec.Struct, frozen=True, kw_only=True):
    """The sources of values, in addition to the pod itself. `addresses` are the pod's."""

    objects: PodObjects
    facts: NodeFacts
    addresses: tuple[str, ...] = ()
    file_value: FileValue


def container_environment(pod: Pod, container: AnyContainer, sources: EnvironmentSources) -> Environment:
    """The variables: envFrom, then env, each in order, then links to services. A later value replaces an earlier one.

    Raises NotFound for missing objects and keys that are not optional, and other PodwrightErrors.
    """
    links = _links(pod, sources.objects)
    variables: Environment = {}
    for source in container.env_from:
        variables.update({source.prefix + key: value for key, value in _all_of(source, sources.objects)})
    for variable in container.env:
        value: str | None = ""
        if variable.value:
            value = expand(variable.value, variables, links)
        elif variable.value_from is not None:
            value = _resolve(pod, container, variable.value_from, sources)
        if value is not None:
            variables[variable.name] = value
    return {**variables, **{name: value for name, value in links.items() if name not in variables}}


def _links(pod: Pod, objects: PodObjects) -> Mapping[str, str]:
    if objects.services is None and not is_static(pod):
        raise FailedPrecondition("services have not yet been read at least once, cannot construct envvars")
    enabled = pod.spec.enable_service_links is not False
    return service_links(objects.services or (), pod.metadata.namespace, enabled=enabled)


def _all_of(source: EnvFromSource, objects: PodObjects) -> Iterator[tuple[str, str]]:
    if source.config_map_ref is not None:
        config_map = objects.config_map(source.config_map_ref.name, optional=source.config_map_ref.optional)
        yield from config_map.data.items() if config_map else ()
    elif source.secret_ref is not None:
        secret = objects.secret(source.secret_ref.name, optional=source.secret_ref.optional)
        yield from ((key, _text(value)) for key, value in secret.data.items()) if secret else ()


def _resolve(pod: Pod, container: AnyContainer, source: EnvVarSource, sources: EnvironmentSources) -> str | None:
    """The value of a reference, or None for an optional one whose object or key does not exist."""
    if source.field_ref is not None:
        return field_text(pod, source.field_ref, sources.facts, sources.addresses)
    if source.resource_field_ref is not None:
        return resource_text(pod, container, source.resource_field_ref, sources.facts)
    if source.config_map_key_ref is not None:
        return _config_map_key(source.config_map_key_ref, sources.objects)
    if source.secret_key_ref is not None:
        return _secret_key(source.secret_key_ref, sources.objects)
    if source.file_key_ref is not None:
        return _file_key(source.file_key_ref, sources.file_value)
    return ""


def _config_map_key(reference: ConfigMapKeySelector, objects: PodObjects) -> str | None:
    config_map = objects.config_map(reference.name, optional=reference.optional)
    value = config_map.data.get(reference.key) if config_map else None
    if value is None and not reference.optional:
        raise NotFound(f"couldn't find key {reference.key} in ConfigMap {objects.namespace}/{reference.name}")
    return value


def _secret_key(reference: SecretKeySelector, objects: PodObjects) -> str | None:
    secret = objects.secret(reference.name, optional=reference.optional)
    value = secret.data.get(reference.key) if secret else None
    if value is None and not reference.optional:
        raise NotFound(f"couldn't find key {reference.key} in Secret {objects.namespace}/{reference.name}")
    return None if value is None else _text(value)


def _file_key(reference: FileKeySelector, file_value: FileValue) -> str | None:
    try:
        value = file_value(reference)
    except InvalidArgument as failure:
        raise InvalidArgument(f"couldn't parse env file {reference.path}: {failure.message}") from failure
    if not value and not reference.optional:
        raise NotFound(f'environment variable key "{reference.key}" not found in file "{reference.path}"')
    return value or None


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")
