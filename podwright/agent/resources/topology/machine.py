"""The CPUs, caches and NUMA nodes of this machine, read from /sys.

Cores, sockets and caches are defined as by the kubelet (cAdvisor's machine information and
pkg/kubelet/cm/cpumanager/topology of Kubernetes 1.36), because checkpoints and users' expectations depend on it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from podwright.errors import FailedPrecondition
from podwright.linux import cpu_lists, huge_pages
from podwright.linux.machine_files import meminfo, read_text

_NODE = re.compile(r"node(\d+)")
_INDEX = re.compile(r"index\d+")
_SHARED_LEVEL = 3  # smaller caches belong to a core


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """A logical CPU. `core` is the lowest CPU of its core.

    `cache` is the last-level cache that only some CPUs of its node share, or the socket if there is none.
    """

    id: int
    core: int
    socket: int
    node: int
    cache: int


class NumaNode(msgspec.Struct, frozen=True, kw_only=True):
    """A NUMA node. `huge_pages` is the memory in preallocated pages, in bytes by the size of a page.

    `distances` has those to other nodes by id. Some machines do not report them.
    """

    id: int
    memory_bytes: int = 0
    huge_pages: Mapping[int, int] = msgspec.field(default_factory=dict)
    distances: Mapping[int, int] = msgspec.field(default_factory=dict)


class MachineTopology(msgspec.Struct, frozen=True, kw_only=True):
    """All usable CPUs and all NUMA nodes, by ascending ids."""

    cpus: tuple[Cpu, ...]
    nodes: tuple[NumaNode, ...]

    def distances(self) -> dict[int, Mapping[int, int]]:
        """The distances from node to node. Raises FailedPrecondition on machines that do not report them."""
        ids = {node.id for node in self.nodes}
        if any(not ids <= set(node.distances) for node in self.nodes):
            raise FailedPrecondition(
                "the machine does not report the distances of its NUMA nodes", hint="unset prefer-closest-numa-nodes"
            )
        return {node.id: node.distances for node in self.nodes}


def read_topology(root: str = "/", usable: Iterable[int] | None = None) -> MachineTopology:
    """Read the machine whose files are below `root`. `usable` has the CPUs that count, None means all online ones.

    What cannot be read counts as absent: each CPU is then its own core, on socket and node 0.
    """
    system = f"{root.rstrip('/')}/sys/devices/system"
    online = cpu_lists.parse(read_text(f"{system}/cpu/online"))
    cpus = online if usable is None else online & frozenset(usable) if online else frozenset(usable)
    directories = dict(sorted(_node_directories(f"{system}/node")))
    members = {node: cpu_lists.parse(read_text(f"{path}/cpulist")) & cpus for node, path in directories.items()}
    if not directories:
        members = _by_socket(system, cpus)
    return MachineTopology(
        cpus=tuple(cpu for _, cpu in sorted(_cpus(system, members))),
        nodes=tuple(_node(node, directories.get(node, ""), tuple(directories)) for node in members),
    )


def _node_directories(folder: str) -> Iterator[tuple[int, str]]:
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if match := _NODE.fullmatch(name):
            yield int(match[1]), f"{folder}/{name}"


def _by_socket(system: str, cpus: Iterable[int]) -> dict[int, frozenset[int]]:
    """The CPUs by socket, which counts as a node on a machine without NUMA."""
    found: dict[int, frozenset[int]] = {}
    for cpu in sorted(cpus):
        socket = _socket(system, cpu)
        found[socket] = found.get(socket, frozenset()) | {cpu}
    return dict(sorted(found.items()))


def _cpus(system: str, members: Mapping[int, frozenset[int]]) -> Iterator[tuple[int, Cpu]]:
    for node, cpus in members.items():
        siblings = {
            cpu: _listed(f"{system}/cpu/cpu{cpu}/topology/thread_siblings_list") & cpus | {cpu} for cpu in cpus
        }
        for cpu in cpus:
            socket = _socket(system, cpu)
            cache = _split_cache(f"{system}/cpu/cpu{min(siblings[cpu])}/cache", cpus)
            yield (
                cpu,
                Cpu(
                    id=cpu,
                    core=min(siblings[cpu]),
                    socket=socket,
                    node=node,
                    cache=socket if cache is None else cache,
                ),
            )


def _socket(system: str, cpu: int) -> int:
    return _number(f"{system}/cpu/cpu{cpu}/topology/physical_package_id") or 0


def _split_cache(folder: str, of_node: frozenset[int]) -> int | None:
    """The id of the first large cache that not all CPUs of the node share."""
    try:
        names = sorted(name for name in os.listdir(folder) if _INDEX.fullmatch(name))
    except OSError:
        return None
    for name in names:
        level = _number(f"{folder}/{name}/level")
        shared = _listed(f"{folder}/{name}/shared_cpu_list")
        if level is not None and level >= _SHARED_LEVEL and len(shared) != len(of_node):
            return _number(f"{folder}/{name}/id")
    return None


def _node(node: int, directory: str, order: tuple[int, ...]) -> NumaNode:
    if not directory:
        return NumaNode(id=node)
    memory = meminfo(read_text(f"{directory}/meminfo"))
    distances = [int(word) for word in read_text(f"{directory}/distance").split() if word.isdigit()]
    pages = {
        size: _number(f"{path}/nr_hugepages") or 0 for size, path in huge_pages.pages(f"{directory}/hugepages").items()
    }
    return NumaNode(
        id=node,
        memory_bytes=memory.get("MemTotal", 0),
        huge_pages={size: size * number for size, number in pages.items()},
        distances=dict(zip(order, distances, strict=False)),
    )


def _listed(path: str) -> frozenset[int]:
    return cpu_lists.parse(read_text(path))


def _number(path: str) -> int | None:
    text = read_text(path).strip()
    return int(text) if text.isdigit() else None
