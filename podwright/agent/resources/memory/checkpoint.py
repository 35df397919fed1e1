"""The file `memory_manager_state`: allotments to JSON and back, in the kubelet's first and second format. Pure.

The second format also has pod-level memory. A kubelet writes it if the gate PodLevelResourceManagers is on, else the
first.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from podwright.agent.resources.memory.state import Block, MemoryState, MemoryTable, NodeMemory
from podwright.agent.resources.state_files import checksum, go_map
from podwright.errors import FailedPrecondition

FILE = "memory_manager_state"


class _Table(msgspec.Struct, frozen=True, rename="camel"):
    total: int = 0
    system_reserved: int = 0
    allocatable: int = 0
    reserved: int = 0
    free: int = 0


class _Node(msgspec.Struct, frozen=True, rename="camel"):
    number_of_assignments: int = 0
    memory_map: dict[str, _Table] = {}
    cells: list[int] | None = None


class _Block(msgspec.Struct, frozen=True, rename={"nodes": "numaAffinity"}):
    type: str
    size: int
    nodes: list[int] = []


class _PodMemory(msgspec.Struct, frozen=True, rename="camel"):
    memory_blocks: list[_Block] = []


_NAMES = {"policy": "policyName", "nodes": "machineState", "pods": "podEntries"}


class _MemoryDocument(msgspec.Struct, frozen=True, rename=_NAMES):
    policy: str = ""
    nodes: dict[int, _Node] = {}
    entries: dict[str, dict[str, list[_Block]]] = {}
    pods: dict[str, _PodMemory] = {}
    checksum: int = 0  # 0 is not checked


def encode(policy: str, state: MemoryState, *, by_pod: bool = False) -> bytes:
    """The file's content. `by_pod`: in the second format."""
    document = _document(policy, state)
    content = msgspec.to_builtins(document, str_keys=True)
    content["checksum"] = checksum(_go_text(document, by_pod=by_pod))
    for name in ("entries", "podEntries"):
        if not content[name]:
            del content[name]
    return json.dumps(content, separators=(",", ":")).encode()


def decode(content: bytes, policy: str) -> MemoryState:
    """The state of a file that the agent of this `policy` left. Raises FailedPrecondition."""
    try:
        found = msgspec.json.decode(content, type=_MemoryDocument)
    except msgspec.MsgspecError as failure:
        raise FailedPrecondition(f"it is not a checkpoint: {failure}") from failure
    known = [_go_text(found, by_pod=by_pod) for by_pod in ((True,) if found.pods else (True, False))]
    if found.checksum and found.checksum not in map(checksum, known):
        raise FailedPrecondition("checkpoint is corrupted: its checksum does not fit")
    if found.policy != policy:
        raise FailedPrecondition(f'configured policy "{policy}" differs from state checkpoint policy "{found.policy}"')
    return MemoryState(
        nodes={number: _node(node) for number, node in found.nodes.items()},
        blocks={
            uid: {name: tuple(map(_block, blocks)) for name, blocks in pod.items()}
            for uid, pod in found.entries.items()
        },
        pods={uid: tuple(map(_block, pod.memory_blocks)) for uid, pod in found.pods.items()},
    )


def _node(node: _Node) -> NodeMemory:
    tables = {
        kind: MemoryTable(
            total=table.total,
            system_reserved=table.system_reserved,
            allocatable=table.allocatable,
            reserved=table.reserved,
            free=table.free,
        )
        for kind, table in node.memory_map.items()
    }
    return NodeMemory(assignments=node.number_of_assignments, tables=tables, cells=tuple(node.cells or ()))


def _block(block: _Block) -> Block:
    return Block(nodes=tuple(block.nodes), kind=block.type, size_bytes=block.size)


def _document(policy: str, state: MemoryState) -> _MemoryDocument:
    nodes = {
        number: _Node(
            number_of_assignments=node.assignments,
            memory_map={
                kind: _Table(
                    total=table.total,
                    system_reserved=table.system_reserved,
                    allocatable=table.allocatable,
                    reserved=table.reserved,
                    free=table.free,
                )
                for kind, table in sorted(node.tables.items())
            },
            cells=list(node.cells),
        )
        for number, node in sorted(state.nodes.items())
    }
    entries = {
        uid: {name: _listed(blocks) for name, blocks in sorted(pod.items())}
        for uid, pod in sorted(state.blocks.items())
    }
    pods = {uid: _PodMemory(memory_blocks=_listed(blocks)) for uid, blocks in sorted(state.pods.items())}
    return _MemoryDocument(policy=policy, nodes=nodes, entries=entries, pods=pods)


def _listed(blocks: Sequence[Block]) -> list[_Block]:
    return [_Block(type=each.kind, size=each.size_bytes, nodes=list(each.nodes)) for each in blocks]


def _go_text(document: _MemoryDocument, *, by_pod: bool) -> str:
    pods = go_map(document.pods, lambda pod: f"{{MemoryBlocks:([]state.Block){_go_blocks(pod.memory_blocks)}}}")
    whole = f"PodEntries:(state.PodMemoryAssignments){pods} " if by_pod else ""
    return (
        f"(*state.MemoryManagerCheckpoint){{PolicyName:(string){document.policy} "
        f"MachineState:(state.NUMANodeMap){go_map(document.nodes, _go_node)} "
        "Entries:(state.ContainerMemoryAssignments)"
        f"{go_map(document.entries, lambda pod: go_map(pod, _go_blocks))} {whole}Checksum:(checksum.Checksum)0}}"
    )


def _go_node(node: _Node) -> str:
    return (
        f"<*>{{NumberOfAssignments:(int){node.number_of_assignments} "
        f"MemoryMap:(map[v1.ResourceName]*state.MemoryTable){go_map(node.memory_map, _go_table)} "
        f"Cells:([]int){'<nil>' if node.cells is None else _go_numbers(node.cells)}}}"
    )


def _go_table(table: _Table) -> str:
    return (
        f"<*>{{TotalMemSize:(uint64){table.total} SystemReserved:(uint64){table.system_reserved} "
        f"Allocatable:(uint64){table.allocatable} Reserved:(uint64){table.reserved} Free:(uint64){table.free}}}"
    )


def _go_blocks(blocks: list[_Block]) -> str:
    return f"[{' '.join(map(_go_block, blocks))}]"


def _go_block(block: _Block) -> str:
    nodes = _go_numbers(block.nodes)
    return f"{{NUMAAffinity:([]int){nodes} Type:(v1.ResourceName){block.type} Size:(uint64){block.size}}}"


def _go_numbers(numbers: list[int]) -> str:
    return f"[{' '.join(map(str, numbers))}]"
