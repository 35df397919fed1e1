"""The downward API: fields of the pod and resources of its containers as text. Pure.

Used for environment variables, and for the files of downwardAPI volumes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from podwright.agent.configs.go_quote import quoted
from podwright.agent.configs.node import NodeFacts
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.resources import ZERO, pod_level_limits
from podwright.errors import InvalidArgument, NotFound
from podwright.k8s.objects import ObjectFieldSelector, Pod, ResourceFieldSelector
from podwright.k8s.pod_resources import Amounts, is_huge_pages
from podwright.k8s.quantity import NANO, Amount, parse, whole_units

KEYED = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]", re.DOTALL)
COMPUTE = ("cpu", "memory", "ephemeral-storage")


def field_text(pod: Pod, reference: ObjectFieldSelector, facts: NodeFacts, addresses: tuple[str, ...]) -> str:
    """The value of a fieldRef. An absent label or annotation is empty. `addresses` are the pod's.

    Raises InvalidArgument for a path that the API does not know.
    """
    path, metadata, spec = reference.field_path, pod.metadata, pod.spec
    if keyed := KEYED.fullmatch(path):
        source = metadata.labels if keyed[1] == "labels" else metadata.annotations
        return source.get(keyed[2], "")
    values = {
        "metadata.name": metadata.name,
        "metadata.namespace": metadata.namespace,
        "metadata.uid": metadata.uid,
        "spec.nodeName": spec.node_name or facts.node_name,
        "spec.host": spec.node_name or facts.node_name,  # the field's name in old clients
        "spec.serviceAccountName": spec.service_account_name,
        "status.hostIP": facts.addresses[0] if facts.addresses else "",
        "status.hostIPs": ",".join(facts.addresses),
        "status.podIP": addresses[0] if addresses else "",
        "status.podIPs": ",".join(addresses),
    }
    if path in values:
        return values[path]
    if path in ("metadata.labels", "metadata.annotations"):
        return map_text(metadata.labels if path == "metadata.labels" else metadata.annotations)
    raise InvalidArgument(f"unsupported fieldPath: {path}", hint="see the downward API's list of fields")


class DownwardFields:
    """The same for files of volumes, which are written before the pod has an address."""

    def __init__(self, facts: NodeFacts) -> None:
        self._facts = facts

    def field_text(self, pod: Pod, reference: ObjectFieldSelector) -> str:
        """The value of a fieldRef. Raises InvalidArgument."""
        return field_text(pod, reference, self._facts, ())

    def resource_text(self, pod: Pod, reference: ResourceFieldSelector) -> str:
        """The value of a resourceFieldRef, which names its container. Raises InvalidArgument, NotFound."""
        if not reference.container_name:
            raise InvalidArgument(
                "resourceFieldRef: a volume's needs containerName", hint="name a container of the pod"
            )
        return resource_text(pod, pod.spec.containers[0], reference, self._facts)


def map_text(values: Mapping[str, str]) -> str:
    """Lines of key="value", sorted by key."""
    return "\n".join(f"{key}={quoted(values[key])}" for key in sorted(values))


def resource_text(pod: Pod, container: AnyContainer, reference: ResourceFieldSelector, facts: NodeFacts) -> str:
    """The value of a resourceFieldRef in units of its divisor, rounded up.

    An absent limit is the pod's, or else the node's allocatable amount. Raises InvalidArgument for an unknown
    resource, NotFound for an unknown container.
    """
    kind, _, name = reference.resource.partition(".")
    if kind not in ("limits", "requests") or not (name in COMPUTE or is_huge_pages(name)):
        raise InvalidArgument(f"unsupported container resource : {reference.resource}")
    amount = _amount(pod, _named(pod, container, reference.container_name), kind, name, facts)
    divisor = parse(reference.divisor or "0")
    divisor = divisor if divisor.nano else Amount(NANO)
    if name == "cpu":  # CPU is counted in thousandths, other resources in units
        return str(whole_units(amount.milli, divisor.milli))
    return str(whole_units(amount.whole, divisor.whole))


def _named(pod: Pod, container: AnyContainer, name: str) -> AnyContainer:
    if not name:
        return container
    for other in (*pod.spec.containers, *pod.spec.init_containers):
        if other.name == name:
            return other
    raise NotFound(f"container {name} not found")


def _amount(pod: Pod, container: AnyContainer, kind: str, name: str, facts: NodeFacts) -> Amount:
    quantities = container.resources.limits if kind == "limits" else container.resources.requests
    amount = parse(quantities[name]) if name in quantities else ZERO
    if amount.nano or kind == "requests" or name not in COMPUTE:
        return amount
    return _available(pod, facts).get(name, ZERO)


def _available(pod: Pod, facts: NodeFacts) -> Amounts:
    """The most that a container without limits can use."""
    node = {name: parse(text) for name, text in facts.allocatable.items()}
    limits = {name: amount for name, amount in pod_level_limits(pod.spec).items() if amount.nano and name in node}
    return {**node, **limits}
