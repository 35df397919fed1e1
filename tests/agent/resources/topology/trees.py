"""Trees of files like /sys of machines that are larger than those that tests run on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from podwright.agent.resources.topology.machine import MachineTopology, read_topology
from podwright.linux.cpu_lists import spelt

GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A machine. CPUs are numbered as Linux does on x86: the first threads of all cores, then the second ones."""

    sockets: int = 1
    nodes_per_socket: int = 1
    cores_per_node: int = 4
    threads: int = 2
    caches_per_node: int = 1
    memory_bytes: int = 4 * GIB  # of each node
    huge_pages: int = 0  # of 2 MiB, on each node

    @property
    def nodes(self) -> int:
        return self.sockets * self.nodes_per_socket

    @property
    def cores(self) -> int:
        return self.nodes * self.cores_per_node

    def cpus_of_core(self, core: int) -> list[int]:
        return [core + thread * self.cores for thread in range(self.threads)]

    def cores_of_node(self, node: int) -> range:
        return range(node * self.cores_per_node, (node + 1) * self.cores_per_node)

    def cpus_of_node(self, node: int) -> list[int]:
        return [cpu for core in self.cores_of_node(node) for cpu in self.cpus_of_core(core)]


def write_machine(root: Path, shape: Shape) -> str:
    """Write the files of such a machine below `root`; the path to give to what reads them."""
    system = root / "sys/devices/system"
    put(system / "cpu/online", spelt(range(shape.cores * shape.threads)))
    for node in range(shape.nodes):
        _write_node(system / f"node/node{node}", node, shape)
        for core in shape.cores_of_node(node):
            for cpu in shape.cpus_of_core(core):
                _write_cpu(system / f"cpu/cpu{cpu}", core, node, shape)
    return str(root)


def machine(root: Path, shape: Shape) -> MachineTopology:
    """What is read of such a machine."""
    return read_topology(write_machine(root, shape))


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def _write_node(folder: Path, node: int, shape: Shape) -> None:
    put(folder / "cpulist", spelt(shape.cpus_of_node(node)))
    put(folder / "meminfo", f"Node {node} MemTotal:  {shape.memory_bytes // 1024} kB\nNode {node} MemFree: 1 kB")
    put(folder / "distance", " ".join(_distance(node, other, shape) for other in range(shape.nodes)))
    put(folder / "hugepages/hugepages-2048kB/nr_hugepages", str(shape.huge_pages))


def _distance(one: int, other: int, shape: Shape) -> str:
    """As of a machine whose nodes are near to each other in a socket."""
    if one == other:
        return "10"
    return "12" if one // shape.nodes_per_socket == other // shape.nodes_per_socket else "32"


def _write_cpu(folder: Path, core: int, node: int, shape: Shape) -> None:
    socket = node // shape.nodes_per_socket
    put(folder / "topology/physical_package_id", str(socket))
    put(folder / "topology/thread_siblings_list", spelt(shape.cpus_of_core(core)))
    per_cache = shape.cores_per_node // shape.caches_per_node
    cache = core // per_cache
    sharing = [cpu for each in range(cache * per_cache, (cache + 1) * per_cache) for cpu in shape.cpus_of_core(each)]
    for index, level, cpus, number in ((0, 1, shape.cpus_of_core(core), core), (3, 3, sharing, cache)):
        put(folder / f"cache/index{index}/level", str(level))
        put(folder / f"cache/index{index}/shared_cpu_list", spelt(cpus))
        put(folder / f"cache/index{index}/id", str(number))
