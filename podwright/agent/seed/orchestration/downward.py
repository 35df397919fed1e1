"""The downward API: fields of the pod and resources of its containers as text. Pure."""

from __future__ import annotations

import re

from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.manifest.volume import ObjectFieldSelector, ResourceFieldSelector
from podwright.agent.seed.orchestration.context import PodContext
from podwright.k8s.quantity import NANO, parse_nano, whole_units

_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


def field_text(context: PodContext, reference: ObjectFieldSelector, pod_ips: tuple[str, ...] = ()) -> str:
    """The value of a fieldRef; an absent label or annotation is empty, as in the kubelet."""
    metadata, host = context.pod.metadata, context.host
    path = reference.field_path
    keyed = _KEYED.fullmatch(path)
    if keyed is not None:
        source = metadata.labels if keyed[1] == "labels" else metadata.annotations
        return source.get(keyed[2], "")
    addresses = host.addresses if context.pod.spec.host_network else pod_ips
    values = {
        "metadata.name": metadata.name,
        "metadata.namespace": metadata.namespace,
        "metadata.uid": context.uid,
        "metadata.labels": _map_text(metadata.labels),
        "metadata.annotations": _map_text(metadata.annotations),
        "spec.nodeName": host.node_name,
        "spec.serviceAccountName": "default",
        "status.hostIP": host.addresses[0],
        "status.hostIPs": ",".join(host.addresses),
        "status.podIP": addresses[0] if addresses else "",
        "status.podIPs": ",".join(addresses),
    }
    return values[path]


def _map_text(values: dict[str, str]) -> str:
    """Lines of key="value", quoted as Go quotes strings."""
    return "\n".join(f"{key}={_go_quoted(values[key])}" for key in sorted(values))


def _go_quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(character, character) for character in text) + '"'


def resource_text(context: PodContext, reference: ResourceFieldSelector, container: Container) -> str:
    """The value of a resourceFieldRef in units of its divisor; an absent limit is what the machine has."""
    named = context.pod.find_container(reference.container_name) if reference.container_name else None
    resources = (named or container).resources
    kind, _, name = reference.resource.partition(".")
    quantities = resources.limits if kind == "limits" else resources.requests
    nano = parse_nano(quantities[name]) if name in quantities else 0
    if not nano and kind == "limits":
        nano = _capacity_nano(context, name)
    return str(whole_units(nano, parse_nano(reference.divisor) or NANO))


def _capacity_nano(context: PodContext, name: str) -> int:
    capacity = {"cpu": context.host.cpu_count, "memory": context.host.memory_bytes}
    return capacity.get(name, 0) * NANO
