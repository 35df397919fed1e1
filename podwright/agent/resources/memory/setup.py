"""Makes the memory manager from the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.metrics.managers import ManagerMetrics
from podwright.agent.resources.memory.manager import STATIC, MemoryManager
from podwright.agent.resources.memory.state import MEMORY
from podwright.agent.resources.memory.static import MemoryPolicy, Reserved
from podwright.agent.resources.pod_level import GATE
from podwright.agent.resources.topology.machine import MachineTopology
from podwright.errors import FailedPrecondition
from podwright.k8s.pod_resources import Amounts, is_huge_pages
from podwright.k8s.quantity import Amount


def memory_manager(
    config: AgentConfig, machine: MachineTopology, reservation: Amounts, metrics: ManagerMetrics
) -> MemoryManager:
    """The manager. `reservation` is what pods do not get of the whole node. Raises FailedPrecondition."""
    root = config.process.root_dir
    if config.managers.memory_policy != STATIC:
        return MemoryManager(None, root, metrics)
    reserved = _reserved(config, machine, reservation)
    return MemoryManager(MemoryPolicy(machine, reserved, by_pod=config.feature_gates[GATE]), root, metrics)


def _reserved(config: AgentConfig, machine: MachineTopology, reservation: Amounts) -> Reserved:
    """The reservation of each NUMA node. The sum must equal the reservation of the whole node."""
    known, found = {node.id for node in machine.nodes}, dict[int, dict[str, int]]()
    for each in config.reserved.memory:
        if each.numa_node not in known:
            raise FailedPrecondition(
                f"the reserved memory configuration references a NUMA node {each.numa_node} that does not exist on "
                "this machine",
                hint="change reservedMemory",
            )
        node = found.setdefault(each.numa_node, {})
        for kind, nano in each.limits_nano.items():
            node[kind] = node.get(kind, 0) + Amount(nano).whole
    _check_sums(found, reservation)
    if not any(node.get(MEMORY) for node in found.values()):
        raise FailedPrecondition(
            "[memorymanager] you should specify the system reserved memory", hint="set reservedMemory"
        )
    return found


def _check_sums(found: Mapping[int, Mapping[str, int]], reservation: Amounts) -> None:
    wanted = {kind: amount.whole for kind, amount in reservation.items() if kind == MEMORY or is_huge_pages(kind)}
    for kind in {*wanted, *(kind for node in found.values() for kind in node)}:
        total = sum(node.get(kind, 0) for node in found.values())
        if total != wanted.get(kind, 0):
            raise FailedPrecondition(
                f'the total amount "{total}" of type "{kind}" is not equal to the value "{wanted.get(kind, 0)}" '
                "determined by Node Allocatable feature",
                hint="reservedMemory must be systemReserved, kubeReserved and the hard eviction threshold together",
            )
