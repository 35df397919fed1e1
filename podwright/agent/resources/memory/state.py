"""What memory each NUMA node has, and how much of it is allotted to which container. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTable:
    """Memory of one kind on one node, in bytes. `allocatable` is what pods can have, `reserved` what they have."""

    total: int = 0
    system_reserved: int = 0
    allocatable: int = 0
    reserved: int = 0
    free: int = 0


NO_MEMORY = MemoryTable()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMemory:
    """A node: `tables` by kind, which is `memory` or `hugepages-SIZE`.

    `cells` are the nodes that it is used together with, itself included. `assignments` counts the blocks on it.
    """

    assignments: int = 0
    tables: Mapping[str, MemoryTable] = field(default_factory=dict)
    cells: tuple[int, ...] = ()

    def table(self, kind: str) -> MemoryTable:
        """The memory of a kind. None for a kind that the node does not have."""
        return self.tables.get(kind, NO_MEMORY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Memory of one kind that a container is allotted from some nodes together."""

    nodes: tuple[int, ...]
    kind: str
    size_bytes: int


Nodes = Mapping[int, NodeMemory]
Blocks = Mapping[str, Mapping[str, Sequence[Block]]]  # by container, by pod


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryState:
    """All nodes, and all blocks by pod UID and container name."""

    nodes: Nodes = field(default_factory=dict)
    blocks: Blocks = field(default_factory=dict)

    def of(self, uid: str, container: str) -> Sequence[Block]:
        """What a container is allotted."""
        return self.blocks.get(uid, {}).get(container, ())

    def given(self, uid: str, container: str, blocks: Sequence[Block]) -> MemoryState:
        """The state with other blocks for a container. The caller updates the nodes."""
        return replace(self, blocks={**self.blocks, uid: {**self.blocks.get(uid, {}), container: tuple(blocks)}})

    def released(self, uid: str, *containers: str) -> MemoryState:
        """The state after these containers' memory is released."""
        pod, nodes = dict(self.blocks.get(uid, {})), self.nodes
        for name in containers:
            for block in pod.pop(name, ()):
                nodes = give_back(nodes, block)
        rest = {each: found for each, found in self.blocks.items() if each != uid}
        return MemoryState(nodes=nodes, blocks={**rest, uid: pod} if pod else rest)


def take(nodes: Nodes, block: Block) -> Nodes:
    """The nodes after a block was taken: from the first ones as much as they have."""
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
    """The nodes after a block was given back. A node without blocks stands alone again."""
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
