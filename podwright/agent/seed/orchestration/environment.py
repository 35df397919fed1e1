"""A container's environment, and $(VAR) expansion as Kubernetes does it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.seed.manifest.container import Container, EnvVarSource, KeySelector
from podwright.agent.seed.manifest.payload import PayloadObject
from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.downward import field_text, resource_text


def expand(text: str, variables: Mapping[str, str | bytes]) -> str:
    """Replace `$(NAME)`; unknown names stay as they are, `$$` is one `$`."""
    parts, position = [], 0
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        following = text[dollar + 1 : dollar + 2]
        end = text.find(")", dollar) if following == "(" else -1
        if following == "$":
            parts.append("$")
            position = dollar + 2
        elif end >= 0:
            name = text[dollar + 2 : end]
            parts.append(_text(variables[name]) if name in variables else text[dollar : end + 1])
            position = end + 1
        else:
            parts.append("$")
            position = dollar + 1
    return "".join((*parts, text[position:]))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")


def container_environment(
    context: PodContext, container: Container, pod_ips: tuple[str, ...]
) -> dict[str, str | bytes]:
    """Variables in order. References have been validated, so what is missing here is optional."""
    variables: dict[str, str | bytes] = {}
    for source in container.env_from:
        reference = source.config_map_ref or source.secret_ref
        objects = context.bundle.config_maps if source.config_map_ref else context.bundle.secrets
        if reference is not None and reference.name in objects:
            found = objects[reference.name].variables()
            variables.update({source.prefix + key: value for key, value in found.items()})
    for variable in container.env:
        value: str | bytes | None
        if variable.value_from is None:
            value = expand(variable.value, variables)
        else:
            value = _resolve(context, container, variable.value_from, pod_ips)
        if value is not None:
            variables[variable.name] = value
    return variables


def _resolve(
    context: PodContext, container: Container, source: EnvVarSource, pod_ips: tuple[str, ...]
) -> str | bytes | None:
    if source.field_ref is not None:
        return field_text(context, source.field_ref, pod_ips)
    if source.resource_field_ref is not None:
        return resource_text(context, source.resource_field_ref, container)
    if source.config_map_key_ref is not None:
        return _key(context.bundle.config_maps, source.config_map_key_ref)
    if source.secret_key_ref is not None:
        return _key(context.bundle.secrets, source.secret_key_ref)
    return None


def _key(objects: Mapping[str, PayloadObject], selector: KeySelector) -> bytes | None:
    return objects[selector.name].variables().get(selector.key) if selector.name in objects else None
