"""The memory of each NUMA node, and its allotments to containers, as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

MEMORY = "memory"


class MemoryTable(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of one kind on one node, in bytes. `allocatable` is what pods can get, `reserved` what they have."""

    total: int = 0
    system_reserved: int = 0
    allocatable: int = 0
    reserved: int = 0
    free: int = 0


NO_MEMORY = MemoryTable()


class NodeMemory(msgspec.Struct, frozen=True, kw_only=True):
    """A node: `tables` by kind, which is `memory` or `hugepages-SIZE`.

    `cells` has the nodes of its group, itself included. `assignments` counts the blocks on it.
    """

    assignments: int = 0
    tables: Mapping[str, MemoryTable] = msgspec.field(default_factory=dict)
    cells: tuple[int, ...] = ()

    def table(self, kind: str) -> MemoryTable:
        """The memory of a kind, of size 0 if the node has none."""
        return self.tables.get(kind, NO_MEMORY)


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """An allotment: memory of one kind from a group of nodes."""

    nodes: tuple[int, ...]
    kind: str
    size_bytes: int


Nodes = Mapping[int, NodeMemory]
Blocks = Mapping[str, Mapping[str, Sequence[Block]]]  # by container, by pod


class MemoryState(msgspec.Struct, frozen=True, kw_only=True):
    """All nodes, and all blocks by pod UID and container name.

    `pods` has the blocks of pods with pod-level memory, by UID. The blocks of their containers are parts of these.
    """

    nodes: Nodes = msgspec.field(default_factory=dict)
    blocks: Blocks = msgspec.field(default_factory=dict)
    pods: Mapping[str, Sequence[Block]] = msgspec.field(default_factory=dict)

    def of(self, uid: str, container: str) -> Sequence[Block]:
        """The blocks of a container."""
        return self.blocks.get(uid, {}).get(container, ())

    def given(self, uid: str, container: str, blocks: Sequence[Block]) -> MemoryState:
        """The state with other blocks for a container. The caller updates the nodes."""
        return replace(self, blocks={**self.blocks, uid: {**self.blocks.get(uid, {}), container: tuple(blocks)}})

    def given_pod(self, uid: str, whole: Sequence[Block], parts: Mapping[str, Sequence[Block]]) -> MemoryState:
        """The state with pod-level blocks for a pod, and parts of them for its containers."""
        nodes = self.nodes
        for block in whole:
            nodes = take(nodes, block)
        return MemoryState(
            nodes=nodes, blocks={**self.blocks, uid: dict(parts)}, pods={**self.pods, uid: tuple(whole)}
        )

    def released(self, uid: str, *containers: str) -> MemoryState:
        """The state after these containers' memory is released."""
        pod, nodes, pods = dict(self.blocks.get(uid, {})), self.nodes, self.pods
        free = [block for name in containers for block in pod.pop(name, ())]
        if uid in pods:  # their memory is the pod's, and released with the last container
            free = [] if pod else list(pods[uid])
            pods = pods if pod else {each: found for each, found in pods.items() if each != uid}
        for block in free:
            nodes = give_back(nodes, block)
        rest = {each: found for each, found in self.blocks.items() if each != uid}
        return MemoryState(nodes=nodes, blocks={**rest, uid: pod} if pod else rest, pods=pods)


def take(nodes: Nodes, block: Block) -> Nodes:
    """The nodes without a block. It takes from the first node as much as that has, then from the next."""
    found, rest = dict(nodes), block.size_bytes
    for number in block.nodes:
        node = found[number]
        table = node.table(block.kind)
        part = min(rest, table.free)
        rest -= part
        found[number] = replace(
            node,
            assignments=node.assignments + 1,
            cells=block.nodes,
            tables=_with(node, block.kind, replace(table, reserved=table.reserved + part, free=table.free - part)),
        )
    return found


def give_back(nodes: Nodes, block: Block) -> Nodes:
    """The nodes with a block given back. A node without blocks is in no group any more."""
    found, rest = dict(nodes), block.size_bytes
    for number in block.nodes:
        node = found[number]
        table = node.table(block.kind)
        part = min(rest, table.reserved)
        rest -= part
        left = node.assignments - 1
        found[number] = replace(
            node,
            assignments=left,
            cells=node.cells if left else (number,),
            tables=_with(node, block.kind, replace(table, reserved=table.reserved - part, free=table.free + part)),
        )
    return found


def _with(node: NodeMemory, kind: str, table: MemoryTable) -> Mapping[str, MemoryTable]:
    return {**node.tables, kind: table} if kind in node.tables else node.tables
