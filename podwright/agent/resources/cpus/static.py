"""The static policy: decides which containers get exclusive CPUs, and which CPUs. Pure.

A container of a guaranteed pod that requests whole CPUs gets exclusive ones. All others share the rest and the
reserved CPUs, which are never exclusive. The rules are the kubelet's (pkg/kubelet/cm/cpumanager/policy_static.go of
Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from podwright.agent.pods.failures import NotAdmitted
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.pods.qos import GUARANTEED, qos_class
from podwright.agent.pods.resources import ZERO, pod_level_requests
from podwright.agent.resources.cpus.assignments import CpuAssignments
from podwright.agent.resources.cpus.layout import NO_CPUS, CpuLayout, Cpus
from podwright.agent.resources.cpus.options import CpuOptions
from podwright.agent.resources.cpus.spreading import take_spread
from podwright.agent.resources.cpus.taking import take_packed
from podwright.agent.resources.pod_level import check_shared_pool, is_guaranteed_alone, is_one
from podwright.agent.resources.topology.hints import TopologyHint
from podwright.agent.resources.topology.masks import NodeMask, all_masks, count, nodes_of
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.k8s.objects import Container, Pod
from podwright.k8s.quantity import NANO, parse_nano
from podwright.linux.cpu_lists import spelt

SMT_ERROR = "SMTAlignmentError"


class StaticPolicy:
    """The policy on one machine with `reserved` CPUs.

    `by_pod`: pods with pod-level resources get CPUs, too (the gate PodLevelResourceManagers).
    """

    def __init__(self, layout: CpuLayout, reserved: Cpus, options: CpuOptions, *, by_pod: bool = False) -> None:
        self._layout = layout
        self.by_pod = by_pod
        self._options = options
        self.reserved = reserved
        cores = {layout.of(cpu).core for cpu in reserved}
        self._touched = layout.within("core", cores, layout.all)  # cores that are reserved, at least partly

    def initial(self) -> CpuAssignments:
        """The assignments on a node without pods."""
        return CpuAssignments(shared=self._shareable())

    def check(self, assignments: CpuAssignments) -> None:
        """Check the assignments of an earlier agent. Raises FailedPrecondition if they do not fit this machine."""
        shared = assignments.shared
        if self._options.strict and self.reserved & shared:
            raise FailedPrecondition(
                f'some of strictly reserved cpus: "{spelt(self.reserved & shared)}" are present in defaultCpuSet: '
                f'"{spelt(shared)}"'
            )
        if not self._options.strict and not self.reserved <= shared:
            raise FailedPrecondition(
                f'not all reserved cpus: "{spelt(self.reserved)}" are present in defaultCpuSet: "{spelt(shared)}"'
            )
        for uid, pod in assignments.own.items():
            for name, cpus in pod.items():
                if cpus & shared:
                    raise FailedPrecondition(
                        f'pod: {uid}, container: {name} cpuset: "{spelt(cpus)}" overlaps with default cpuset '
                        f'"{spelt(shared)}"'
                    )
        known, expected = shared | assignments.all_own(), self._shareable()
        if known != expected:
            raise FailedPrecondition(
                f'current set of available CPUs "{spelt(expected)}" doesn\'t match with CPUs in state "{spelt(known)}"'
            )

    def allocatable(self) -> Cpus:
        """The CPUs that an empty node can allot exclusively."""
        return self._layout.all - self.reserved

    def allocated(
        self, assignments: CpuAssignments, pod: Pod, container: Container, affinity: TopologyHint
    ) -> CpuAssignments:
        """The assignments with CPUs for the container. Raises NotAdmitted, ResourceExhausted."""
        wanted = self.wanted(pod, container)
        if not wanted:
            return assignments
        self._check_cores(assignments, wanted)
        uid = pod.metadata.uid
        if assignments.of(uid, container.name) is not None:
            return assignments
        available = self._available(assignments) | reusable(assignments, pod, container)
        return assignments.given(uid, container.name, self._choose(available, wanted, affinity.nodes))

    def hints(self, assignments: CpuAssignments, pod: Pod, container: Container) -> Sequence[TopologyHint] | None:
        """The NUMA nodes that can serve a container. None if it wants no exclusive CPUs."""
        wanted = self.wanted(pod, container)
        if not wanted:
            return None
        own = assignments.of(pod.metadata.uid, container.name)
        if own is None:
            return self._hints(self._available(assignments), reusable(assignments, pod, container), wanted)
        return self._hints(own, NO_CPUS, wanted) if len(own) == wanted else []

    def pod_hints(self, assignments: CpuAssignments, pod: Pod) -> Sequence[TopologyHint] | None:
        """The same for all containers of a pod together."""
        wanted = self.wanted_by_pod(pod)
        if not wanted:
            return None
        if is_one(pod):
            return self._whole_hints(assignments, pod, wanted)
        own = assignments.own.get(pod.metadata.uid, {})
        containers = (*pod.spec.init_containers, *pod.spec.containers)
        if any(len(own[each.name]) != self.wanted(pod, each) for each in containers if each.name in own):
            return []
        has = assignments.of_pod(pod.metadata.uid)
        if len(has) == wanted:
            return self._hints(has, NO_CPUS, wanted)
        return self._hints(self._available(assignments), has, wanted)

    def wanted(self, pod: Pod, container: Container) -> int:
        """The number of exclusive CPUs for a container."""
        return wanted_cpus(pod, container, by_pod=self.by_pod)

    def wanted_by_pod(self, pod: Pod) -> int:
        """The number of exclusive CPUs for a pod: pod-level, or the most that its containers need at one time."""
        return wanted_by_pod(pod, by_pod=self.by_pod)

    def allocated_pod(self, assignments: CpuAssignments, pod: Pod, affinity: TopologyHint) -> CpuAssignments:
        """The assignments with pod-level CPUs for a pod. Raises NotAdmitted and ResourceExhausted."""
        wanted, uid = self.wanted_by_pod(pod), pod.metadata.uid
        if not wanted or uid in assignments.pods:
            return assignments
        self._check_shared(pod, wanted)
        self._check_cores(assignments, wanted)
        whole = self._choose(self._available(assignments), wanted, affinity.nodes)
        return assignments.given_pod(uid, whole, self._parts(pod, whole))

    def _parts(self, pod: Pod, whole: Cpus) -> dict[str, Cpus]:
        """The CPUs of each container of a pod with these CPUs. Init containers may get those of later containers."""
        sidecars, parts = NO_CPUS, dict[str, Cpus]()
        for container in pod.spec.init_containers:
            if wanted := self.wanted(pod, container):
                parts[container.name] = self.take(whole - sidecars, wanted)
                if is_sidecar(container):
                    sidecars |= parts[container.name]
            elif not is_sidecar(container):
                parts[container.name] = whole - sidecars
        rest = whole - sidecars
        for container in pod.spec.containers:
            if wanted := self.wanted(pod, container):
                parts[container.name] = self.take(rest, wanted)
                rest -= parts[container.name]
        names = [container.name for container in (*pod.spec.init_containers, *pod.spec.containers)]
        return {name: parts.get(name, rest) for name in names}

    def _check_shared(self, pod: Pod, wanted: int) -> None:
        """Check that containers without exclusive CPUs have some to share. Raises NotAdmitted."""

        def own(container: Container) -> dict[str, int]:
            found = self.wanted(pod, container)
            return {"cpu": found} if found else {}

        check_shared_pool(pod, {"cpu": wanted}, own)

    def _whole_hints(self, assignments: CpuAssignments, pod: Pod, wanted: int) -> Sequence[TopologyHint]:
        has = assignments.pods.get(pod.metadata.uid)
        if has is not None:
            return self._hints(has, NO_CPUS, wanted) if len(has) == wanted else []
        try:
            self._check_shared(pod, wanted)
        except NotAdmitted:
            return []
        return self._hints(self._available(assignments), NO_CPUS, wanted)

    def _shareable(self) -> Cpus:
        return self._layout.all - self.reserved if self._options.strict else self._layout.all

    def _available(self, assignments: CpuAssignments) -> Cpus:
        return assignments.shared - self.reserved

    def _check_cores(self, assignments: CpuAssignments, wanted: int) -> None:
        """Check that there are enough whole cores, if they are demanded. Raises NotAdmitted."""
        if not self._options.whole_cores:
            return
        per_core = self._layout.usual_size("core")
        if wanted % per_core:
            raise NotAdmitted(
                SMT_ERROR, f"SMT Alignment Error: requested {wanted} cpus not multiple cpus per core = {per_core}"
            )
        if wanted > (free := len(assignments.shared - self._touched)):
            raise NotAdmitted(
                SMT_ERROR,
                "SMT Alignment Error: not enough free physical CPUs: "
                f"available physical CPUs = {free}, requested CPUs = {wanted}, CPUs per core = {per_core}",
            )

    def _choose(self, available: Cpus, wanted: int, nodes: NodeMask | None) -> Cpus:
        """Choose CPUs on the nodes of the hint first, then on others."""
        aligned = NO_CPUS if nodes is None else self._aligned(available, nodes_of(nodes))
        found = self.take(aligned, min(wanted, len(aligned)))
        return found | self.take(available - found, wanted - len(found))

    def _aligned(self, available: Cpus, nodes: Sequence[int]) -> Cpus:
        layout = self._layout
        if self._options.by_socket:
            sockets = layout.ids("socket", layout.within("node", nodes, layout.all))
            return layout.within("socket", sockets, available)
        return layout.within("node", nodes, available)

    def take(self, available: Cpus, wanted: int) -> Cpus:
        """Choose CPUs by the machine's topology. Raises ResourceExhausted."""
        return taker(self._layout, self._options)(available, wanted)

    def _hints(self, available: Cpus, reused: Cpus, wanted: int) -> list[TopologyHint]:
        """The sets of nodes with enough CPUs. Preferred are those with no more nodes than an empty machine needs."""
        layout = self._layout
        nodes = layout.ids("node", layout.all)
        by_node = {node: len(layout.within("node", {node}, available | reused)) for node in nodes}
        needed = set(layout.ids("node", reused))
        fewest, fitting = len(nodes), []
        for mask in all_masks(nodes):
            members = nodes_of(mask)
            if sum(layout.size("node", node) for node in members) >= wanted:
                fewest = min(fewest, count(mask))
            if needed <= set(members) and sum(by_node[node] for node in members) >= wanted:
                fitting.append(mask)
        return [TopologyHint(nodes=mask, preferred=self._is_preferred(mask, fewest)) for mask in fitting]

    def _is_preferred(self, mask: NodeMask, fewest: int) -> bool:
        if count(mask) == fewest:
            return True
        layout = self._layout
        per_socket = layout.count("node") // layout.count("socket")
        if not self._options.by_socket or not per_socket:
            return False
        sockets = layout.ids("socket", layout.within("node", nodes_of(mask), layout.all))
        return len(sockets) == -(-fewest // per_socket)


def reserve(layout: CpuLayout, named: Cpus, number: int, options: CpuOptions) -> Cpus:
    """The reserved CPUs: those that are `named`, or else `number` CPUs. Raises FailedPrecondition."""
    try:
        reserved = named or taker(layout, options)(layout.all, number)
    except PodwrightError as failure:
        raise FailedPrecondition(
            f"unable to reserve the required amount of CPUs: {failure.message}", hint="lower what is reserved"
        ) from failure
    if not reserved <= layout.all:
        raise FailedPrecondition(
            f"reserved-cpus: {spelt(named)} is not a subset of online-cpus: {spelt(layout.all)}",
            hint="change reservedSystemCPUs",
        )
    return reserved


def taker(layout: CpuLayout, options: CpuOptions) -> Callable[[Cpus, int], Cpus]:
    """The function that chooses among free CPUs. It raises ResourceExhausted."""
    if options.across_nodes:
        group = layout.usual_size("core") if options.whole_cores else 1
        return lambda free, number: take_spread(layout, free, number, group=group, spread_cores=options.across_cores)
    return lambda free, number: take_packed(
        layout, free, number, spread_cores=options.across_cores, by_cache=options.by_cache
    )


def wanted_cpus(pod: Pod, container: Container, *, by_pod: bool = False) -> int:
    """The number of exclusive CPUs for a container. 0 for pods with pod-level resources, unless `by_pod`."""
    if qos_class(pod) != GUARANTEED or (is_one(pod) and not (by_pod and is_guaranteed_alone(container))):
        return 0
    return _whole(parse_nano(container.resources.requests.get("cpu", "0")))


def wanted_by_pod(pod: Pod, *, by_pod: bool = False) -> int:
    """The number of pod-level CPUs, or the most exclusive CPUs that the pod's containers need at one time."""
    if is_one(pod):
        is_wanted = by_pod and qos_class(pod) == GUARANTEED
        return _whole(pod_level_requests(pod.spec).get("cpu", ZERO).nano) if is_wanted else 0
    starting = sidecars = 0
    for container in pod.spec.init_containers:
        own = wanted_cpus(pod, container)
        if is_sidecar(container):
            sidecars += own
        else:
            starting = max(starting, sidecars + own)
    return max(starting, sidecars + sum(wanted_cpus(pod, container) for container in pod.spec.containers))


def _whole(nano: int) -> int:
    """The number of CPUs, 0 if it is not whole: a part of a CPU is never exclusive."""
    return 0 if nano % NANO else nano // NANO


def reusable(assignments: CpuAssignments, pod: Pod, container: Container) -> Cpus:
    """The CPUs of init containers that end before this container starts, and that no later container has."""
    found = NO_CPUS
    for each in (*pod.spec.init_containers, *pod.spec.containers):
        if each.name == container.name:
            break
        own = assignments.of(pod.metadata.uid, each.name) or NO_CPUS
        ends = each in pod.spec.init_containers and not is_sidecar(each)
        found = found | own if ends else found - own
    return found
