"""The static policy: decides which NUMA nodes a guaranteed pod's memory comes from. Pure.

A node serves containers alone or as a part of one group of nodes, never both, so that its free memory is known. The
rules are the kubelet's (pkg/kubelet/cm/memorymanager/policy_static.go of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from podwright.agent.pods.failures import NotAdmitted
from podwright.agent.pods.identity import is_sidecar
from podwright.agent.pods.qos import GUARANTEED, qos_class
from podwright.agent.resources.memory.state import MEMORY, Block, MemoryState, MemoryTable, NodeMemory, Nodes, take
from podwright.agent.resources.pod_level import check_shared_pool, is_guaranteed_alone, is_one
from podwright.agent.resources.topology.hints import Hints, TopologyHint
from podwright.agent.resources.topology.machine import MachineTopology, NumaNode
from podwright.agent.resources.topology.masks import NO_NODE, NodeMask, all_masks, both, count, mask_of, nodes_of
from podwright.errors import FailedPrecondition, ResourceExhausted
from podwright.k8s.objects import Container, Pod
from podwright.k8s.pod_resources import is_huge_pages
from podwright.k8s.quantity import NANO, Amount, Format, whole

Sizes = dict[str, int]  # bytes by kind
Reserved = Mapping[int, Mapping[str, int]]  # by node


class MemoryPolicy:
    """The policy on one machine. `reserved` is the system's memory on each node.

    `by_pod`: pods with pod-level resources get memory, too (the gate PodLevelResourceManagers).
    """

    def __init__(self, machine: MachineTopology, reserved: Reserved, *, by_pod: bool = False) -> None:
        self.by_pod = by_pod
        self._empty: Nodes = {node.id: _node(node, reserved.get(node.id, {})) for node in machine.nodes}

    def initial(self) -> MemoryState:
        """The state of a node without pods."""
        return MemoryState(nodes=self._empty)

    def check(self, state: MemoryState) -> None:
        """Check the state of an earlier agent. Raises FailedPrecondition if it does not fit this machine."""
        expected = self._empty
        for uid, pod in state.blocks.items():
            whole = state.pods.get(uid)
            for name, blocks in ({"": whole} if whole is not None else pod).items():
                for block in blocks:
                    if not set(block.nodes) <= set(expected):
                        raise FailedPrecondition(
                            f"(pod: {uid}, container: {name}) the memory assignment uses the NUMA that does not exist"
                        )
                    expected = take(expected, block)
        if _outline(state.nodes) != _outline(expected):
            raise FailedPrecondition("the expected machine state is different from the real one")

    def allocated(self, state: MemoryState, pod: Pod, container: Container, affinity: TopologyHint) -> MemoryState:
        """The state with memory for the container. Raises ResourceExhausted."""
        wanted = self.wanted(pod, container)
        uid = pod.metadata.uid
        if not wanted or state.of(uid, container.name):
            return state
        nodes = nodes_of(self._choose(state, pod, container, wanted, affinity))
        blocks = [Block(nodes=nodes, kind=kind, size_bytes=size) for kind, size in wanted.items()]
        found = state.nodes
        for block in blocks:
            reused = min(block.size_bytes, _reusable(state, pod, container, block.nodes, block.kind))
            found = take(found, replace(block, size_bytes=block.size_bytes - reused))
        return _without_reused(replace(state, nodes=found), pod, container, blocks).given(uid, container.name, blocks)

    def hints(self, state: MemoryState, pod: Pod, container: Container) -> Hints:
        """The NUMA nodes that can serve a container."""
        wanted = self.wanted(pod, container)
        if not wanted:
            return {}
        if own := state.of(pod.metadata.uid, container.name):
            return _hints_again(own, wanted)
        return self._hints(state, pod, container, wanted)

    def pod_hints(self, state: MemoryState, pod: Pod) -> Hints:
        """The same for all containers of a pod together."""
        wanted = self.wanted_by_pod(pod)
        if not wanted:
            return {}
        if is_one(pod):
            return self._whole_hints(state, pod, wanted)
        for container in (*pod.spec.init_containers, *pod.spec.containers):
            if own := state.of(pod.metadata.uid, container.name):
                return _hints_again(own, wanted)
        return self._hints(state, pod, None, wanted)

    def wanted(self, pod: Pod, container: Container) -> Sizes:
        """The memory to allot to a container."""
        return wanted_memory(pod, container, by_pod=self.by_pod)

    def wanted_by_pod(self, pod: Pod) -> Sizes:
        """The memory to allot to a pod: pod-level, or the most that its containers need at one time."""
        return wanted_by_pod(pod, by_pod=self.by_pod)

    def allocated_pod(self, state: MemoryState, pod: Pod, affinity: TopologyHint) -> MemoryState:
        """The state with pod-level memory for a pod. Raises NotAdmitted and ResourceExhausted."""
        wanted, uid = self.wanted_by_pod(pod), pod.metadata.uid
        if not wanted or uid in state.pods:
            return state
        check_shared_pool(pod, wanted, lambda container: self.wanted(pod, container))
        nodes = nodes_of(self._choose(state, pod, None, wanted, affinity))
        parts = {name: _blocks(sizes, nodes) for name, sizes in self._parts(pod, wanted).items()}
        return state.given_pod(uid, _blocks(wanted, nodes), parts)

    def _parts(self, pod: Pod, whole: Sizes) -> dict[str, Sizes]:
        """The memory of each container of a pod with this memory. Init containers may get that of later containers."""
        rest, parts = whole, dict[str, Sizes]()
        for container in pod.spec.init_containers:
            if own := self.wanted(pod, container):
                parts[container.name] = own
                rest = _without(rest, own) if is_sidecar(container) else rest
            elif not is_sidecar(container):
                parts[container.name] = rest
        for container in pod.spec.containers:
            if own := self.wanted(pod, container):
                parts[container.name] = own
                rest = _without(rest, own)
        names = [container.name for container in (*pod.spec.init_containers, *pod.spec.containers)]
        return {name: parts.get(name, rest) for name in names}

    def _whole_hints(self, state: MemoryState, pod: Pod, wanted: Sizes) -> Hints:
        if (has := state.pods.get(pod.metadata.uid)) is not None:
            return _hints_again(has, wanted)
        try:
            check_shared_pool(pod, wanted, lambda container: self.wanted(pod, container))
        except NotAdmitted:
            return {kind: [] for kind in wanted}
        return self._hints(state, pod, None, wanted)

    def _choose(
        self, state: MemoryState, pod: Pod, container: Container | None, wanted: Sizes, affinity: TopologyHint
    ) -> NodeMask:
        """The nodes of the hint if they have enough memory, else a larger set with these nodes."""
        mask = affinity.nodes
        if mask is None or not _has(state.nodes, mask, wanted):
            around = mask or NO_NODE
            fitting = [
                hint
                for hint in next(iter(self._hints(state, pod, container, wanted).values()), ()) or ()
                if hint.nodes is not None and both(hint.nodes, around) == around
            ]
            best = min(fitting, key=_fitness, default=None)
            if best is None or best.nodes is None:
                raise ResourceExhausted("[memorymanager] no NUMA nodes with enough memory is available")
            if affinity.preferred and not best.preferred:
                raise ResourceExhausted("[memorymanager] failed to find the preferred hint")
            mask = best.nodes
        if not _keeps_groups(state.nodes, mask):
            raise ResourceExhausted("[memorymanager] preferred hint violates NUMA node allocation")
        return mask

    def _hints(self, state: MemoryState, pod: Pod, container: Container | None, wanted: Sizes) -> Hints:
        """The sets of nodes with enough memory of every kind. They are the same for each kind."""
        nodes, fewest = state.nodes, len(state.nodes)
        fitting: list[NodeMask] = []
        for mask in all_masks(sorted(nodes)):
            members = nodes_of(mask)
            if any(sum(nodes[node].table(kind).allocatable for node in members) < wanted[kind] for kind in wanted):
                continue
            fewest = min(fewest, count(mask))
            is_shared = count(mask) == 1 and len(nodes[members[0]].cells) > 1
            if is_shared or not _keeps_groups(nodes, mask):
                continue
            reused = {kind: _reusable(state, pod, container, members, kind) for kind in wanted}
            if _has(nodes, mask, {kind: size - reused[kind] for kind, size in wanted.items()}):
                fitting.append(mask)
        found = [TopologyHint(nodes=mask, preferred=count(mask) == fewest) for mask in fitting]
        return dict.fromkeys(wanted, found) if found else {}


def wanted_memory(pod: Pod, container: Container, *, by_pod: bool = False) -> Sizes:
    """The memory to allot to a container, `memory` first. None for pods with pod-level resources, unless `by_pod`."""
    if qos_class(pod) != GUARANTEED or (is_one(pod) and not (by_pod and is_guaranteed_alone(container))):
        return {}
    return _sizes(container.resources.requests)


def wanted_by_pod(pod: Pod, *, by_pod: bool = False) -> Sizes:
    """The pod-level memory, or the most that the pod's containers need at one time."""
    if is_one(pod):
        is_wanted = by_pod and pod.spec.resources is not None and qos_class(pod) == GUARANTEED
        sizes = _sizes(pod.spec.resources.requests) if is_wanted and pod.spec.resources is not None else {}
        return {kind: size for kind, size in sizes.items() if size}
    starting: Sizes = {}
    sidecars: Sizes = {}
    for container in pod.spec.init_containers:
        for kind, size in wanted_memory(pod, container).items():
            if is_sidecar(container):
                sidecars[kind] = sidecars.get(kind, 0) + size
            else:
                starting[kind] = max(starting.get(kind, 0), sidecars.get(kind, 0) + size)
    running: Sizes = {}
    for container in pod.spec.containers:
        for kind, size in wanted_memory(pod, container).items():
            running[kind] = running.get(kind, sidecars.get(kind, 0)) + size
    return {kind: max(size, starting.get(kind, 0)) for kind, size in running.items()}


def _sizes(requests: Mapping[str, str]) -> Sizes:
    kinds = [MEMORY, *sorted(name for name in requests if is_huge_pages(name))]
    return {kind: whole(requests[kind]) for kind in kinds if kind in requests}


def _without(sizes: Sizes, taken: Sizes) -> Sizes:
    """The sizes minus `taken`, without kinds of size 0."""
    rest = {kind: size - taken.get(kind, 0) for kind, size in sizes.items()}
    return {kind: size for kind, size in rest.items() if size > 0}


def _blocks(sizes: Sizes, nodes: Sequence[int]) -> list[Block]:
    return [Block(nodes=tuple(nodes), kind=kind, size_bytes=size) for kind, size in sizes.items() if size]


def started_before(pod: Pod, container: str) -> list[str]:
    """The init containers that end before this container starts."""
    names = []
    for each in pod.spec.init_containers:
        if each.name == container:
            break
        if not is_sidecar(each):
            names.append(each.name)
    return names


def _reusable(state: MemoryState, pod: Pod, container: Container | None, nodes: Sequence[int], kind: str) -> int:
    """The memory of ended init containers on these nodes that no later container has taken over."""
    if container is None:
        return 0
    return sum(
        block.size_bytes
        for name in started_before(pod, container.name)
        for block in state.of(pod.metadata.uid, name)
        if block.kind == kind and set(block.nodes) == set(nodes)
    )


def _without_reused(state: MemoryState, pod: Pod, container: Container, taken: Iterable[Block]) -> MemoryState:
    """The state in which the memory that this container reuses is taken from the init containers' blocks."""
    uid = pod.metadata.uid
    for each in taken:
        rest = each.size_bytes
        for name in started_before(pod, container.name):
            blocks = []
            for block in state.of(uid, name):
                is_same = block.kind == each.kind and set(block.nodes) == set(each.nodes)
                part = min(rest, block.size_bytes) if is_same else 0
                rest -= part
                blocks.append(replace(block, size_bytes=block.size_bytes - part))
            if blocks:
                state = state.given(uid, name, blocks)
    return state


def _hints_again(own: Sequence[Block], wanted: Sizes) -> Hints:
    """The hint for memory that is already allotted. None if another amount is requested now."""
    if {block.kind: block.size_bytes for block in own} != wanted:
        return {}
    return {block.kind: [TopologyHint(nodes=mask_of(block.nodes), preferred=True)] for block in own}


def _has(nodes: Nodes, mask: NodeMask, wanted: Sizes) -> bool:
    members = nodes_of(mask)
    return all(sum(nodes[node].table(kind).free for node in members) >= size for kind, size in wanted.items())


def _keeps_groups(nodes: Nodes, mask: NodeMask) -> bool:
    """Whether this set is the present group of each of its nodes in use. A single node is always fine."""
    members = nodes_of(mask)
    return len(members) == 1 or all(
        not nodes[node].assignments or (len(nodes[node].cells) > 1 and set(nodes[node].cells) == set(members))
        for node in members
    )


def _fitness(hint: TopologyHint) -> tuple[bool, int, int]:
    mask = hint.nodes or NO_NODE
    return not hint.preferred, count(mask), mask


def _node(node: NumaNode, reserved: Mapping[str, int]) -> NodeMemory:
    huge = {f"hugepages-{Amount(size * NANO, Format.BINARY)}": total for size, total in node.huge_pages.items()}
    tables = {kind: _table(total, total, reserved.get(kind, 0)) for kind, total in huge.items()}
    rest = node.memory_bytes - sum(huge.values())
    tables[MEMORY] = _table(node.memory_bytes, rest, reserved.get(MEMORY, 0))
    return NodeMemory(tables=tables, cells=(node.id,))


def _table(total: int, usable: int, reserved: int) -> MemoryTable:
    allocatable = max(0, usable - reserved)
    return MemoryTable(total=total, system_reserved=reserved, allocatable=allocatable, free=allocatable)


def _outline(nodes: Nodes) -> dict[int, tuple[object, ...]]:
    """The values that must be equal after a restart. What each node of a group has given is then unknown."""
    return {number: tuple(_outline_of(nodes, node)) for number, node in nodes.items()}


def _outline_of(nodes: Nodes, node: NodeMemory) -> Iterator[object]:
    yield node.assignments, frozenset(node.cells)
    for kind, table in sorted(node.tables.items()):
        free = sum(nodes[cell].table(kind).free for cell in node.cells if cell in nodes)
        taken = sum(nodes[cell].table(kind).reserved for cell in node.cells if cell in nodes)
        yield kind, table.total, table.system_reserved, table.allocatable, free, taken
