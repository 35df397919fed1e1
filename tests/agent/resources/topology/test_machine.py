"""What is read of machines, large and odd ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.agent.resources.topology.machine import Cpu, NumaNode, read_topology
from podwright.agent.resources.topology.setup import usable_topology
from podwright.errors import FailedPrecondition
from tests.agent.resources.topology.trees import GIB, Shape, machine, put, write_machine


def test_two_sockets_with_threads(tmp_path: Path) -> None:
    found = machine(tmp_path, Shape(sockets=2, cores_per_node=2, memory_bytes=8 * GIB, huge_pages=3))
    assert [(cpu.id, cpu.core, cpu.socket, cpu.node) for cpu in found.cpus] == [
        (0, 0, 0, 0),
        (1, 1, 0, 0),
        (2, 2, 1, 1),
        (3, 3, 1, 1),
        (4, 0, 0, 0),
        (5, 1, 0, 0),
        (6, 2, 1, 1),
        (7, 3, 1, 1),
    ]
    assert found.nodes[1] == NumaNode(
        id=1, memory_bytes=8 * GIB, huge_pages={2 << 20: 6 << 20}, distances={0: 32, 1: 10}
    )


def test_a_cache_of_the_whole_node_divides_nothing(tmp_path: Path) -> None:
    assert {cpu.cache for cpu in machine(tmp_path, Shape(sockets=2)).cpus} == {0, 1}, "the sockets"


def test_split_caches_have_ids_of_their_own(tmp_path: Path) -> None:
    found = machine(tmp_path, Shape(cores_per_node=8, caches_per_node=4))
    assert [cpu.cache for cpu in found.cpus[:8]] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_only_usable_cpus_count(tmp_path: Path) -> None:
    root = write_machine(tmp_path, Shape(cores_per_node=2))
    assert [(cpu.id, cpu.core) for cpu in read_topology(root, usable={1, 2, 9}).cpus] == [(1, 1), (2, 2)]


def test_without_nodes_sockets_are_nodes(tmp_path: Path) -> None:
    put(tmp_path / "sys/devices/system/cpu/online", "0-1")
    for cpu in (0, 1):
        put(tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id", str(cpu))
    found = read_topology(str(tmp_path))
    assert found.cpus == (Cpu(id=0, core=0, socket=0, node=0, cache=0), Cpu(id=1, core=1, socket=1, node=1, cache=1))
    assert found.nodes == (NumaNode(id=0), NumaNode(id=1))
    with pytest.raises(FailedPrecondition, match="distances"):
        found.distances()


def test_distances_are_by_the_ids_of_nodes_that_exist(tmp_path: Path) -> None:
    root = write_machine(tmp_path, Shape(sockets=2))
    nodes = tmp_path / "sys/devices/system/node"
    (nodes / "node1").rename(nodes / "node8")
    assert read_topology(root).distances() == {0: {0: 10, 8: 32}, 8: {0: 32, 8: 10}}


def test_nothing_can_be_read(tmp_path: Path) -> None:
    found = read_topology(str(tmp_path), usable={0, 1})
    assert [(cpu.id, cpu.core, cpu.socket, cpu.node) for cpu in found.cpus] == [(0, 0, 0, 0), (1, 1, 0, 0)]


def test_this_machine() -> None:
    assert {cpu.id for cpu in usable_topology().cpus} == os.sched_getaffinity(0)
