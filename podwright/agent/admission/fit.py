"""Whether the node still has what a pod requests. Pure.

The rules are those of the scheduler's NodeResourcesFit and NodePorts plug-ins, which the kubelet applies again
(pkg/kubelet/lifecycle/predicate.go of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from podwright.agent.pods.resources import pod_requests
from podwright.k8s.objects import ContainerPort, Pod
from podwright.k8s.pod_resources import Amounts
from podwright.k8s.quantity import Amount, parse

NATIVE_DOMAIN = "kubernetes.io/"
WILDCARDS = ("", "0.0.0.0")


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that is short. CPU is counted in thousandths, other resources in units."""

    resource: str
    requested: int
    used: int
    capacity: int

    @property
    def missing(self) -> int:
        """How much must become free."""
        return self.requested - (self.capacity - self.used)


def shortages(pod: Pod, others: Sequence[Pod], allocatable: Mapping[str, str]) -> list[Shortage]:
    """The resources of which the node has too little. Extended resources that it does not know do not count."""
    found = []
    if len(others) + 1 > (capacity := _units("pods", parse(allocatable.get("pods", "0")))):
        found.append(Shortage(resource="pods", requested=1, used=len(others), capacity=capacity))
    used: Amounts = {}
    for other in others:
        for name, amount in pod_requests(other.spec).items():
            used[name] = used.get(name, Amount(0)) + amount
    for name, amount in pod_requests(pod.spec).items():
        if not amount.nano or (is_extended(name) and name not in allocatable):
            continue
        shortage = Shortage(
            resource=name,
            requested=_units(name, amount),
            used=_units(name, used.get(name, Amount(0))),
            capacity=_units(name, parse(allocatable.get(name, "0"))),
        )
        if shortage.missing > 0:
            found.append(shortage)
    return found


def at_least(allocatable: Mapping[str, str], taken: Mapping[str, int]) -> Mapping[str, str]:
    """`allocatable`, raised to what is already `taken`: a node shows less after devices have become unhealthy."""
    short = {name for name, count in taken.items() if name in allocatable and parse(allocatable[name]).whole < count}
    return {**allocatable, **{name: str(taken[name]) for name in short}}


def is_extended(name: str) -> bool:
    """Whether a resource is not Kubernetes' own, such as a vendor's devices."""
    return "/" in name and not name.partition("/")[0].endswith(NATIVE_DOMAIN.rstrip("/"))


def port_conflict(pod: Pod, others: Iterable[Pod]) -> bool:
    """Whether another pod uses a host port that this pod wants."""
    wanted = list(_host_ports(pod))
    return bool(wanted) and any(
        _collide(port, taken) for other in others for taken in _host_ports(other) for port in wanted
    )


def _host_ports(pod: Pod) -> Iterator[ContainerPort]:
    """The host ports of regular containers and sidecars. Other init containers end before those start."""
    sidecars = (each for each in pod.spec.init_containers if each.restart_policy == "Always")
    for container in (*pod.spec.containers, *sidecars):
        yield from (port for port in container.ports if port.host_port > 0)


def _collide(left: ContainerPort, right: ContainerPort) -> bool:
    if left.host_port != right.host_port or (left.protocol or "TCP") != (right.protocol or "TCP"):
        return False
    return left.host_ip in WILDCARDS or right.host_ip in WILDCARDS or left.host_ip == right.host_ip


def _units(name: str, amount: Amount) -> int:
    return amount.milli if name == "cpu" else amount.whole
