"""Makes the managers of CPUs, memory and topology from the configuration, and ties them together."""

from __future__ import annotations

from collections.abc import Sequence

from podwright.agent.clock import Clock
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.metrics.managers import ManagerMetrics
from podwright.agent.node.capacity import Amounts, reservation
from podwright.agent.resources.cpus.manager import STATIC
from podwright.agent.resources.cpus.reconciling import CpuReconciler, CpuReconcilerPorts
from podwright.agent.resources.cpus.setup import cpu_manager
from podwright.agent.resources.memory.manager import STATIC as MEMORY_STATIC
from podwright.agent.resources.memory.setup import memory_manager
from podwright.agent.resources.pod_level import GATE
from podwright.agent.resources.topology.hints import HintProvider
from podwright.agent.resources.topology.machine import MachineTopology
from podwright.agent.resources.topology.policies import NONE
from podwright.agent.resources.topology.setup import topology_manager, usable_topology


class ResourceManagers:
    """The managers that allot resources of this machine to containers."""

    def __init__(
        self,
        config: AgentConfig,
        capacity: Amounts,
        devices: Sequence[HintProvider],
        metrics: ManagerMetrics,
        clock: Clock,
    ) -> None:
        """`devices` allots devices. Raises InvalidArgument and FailedPrecondition."""
        self._config = config
        machine = usable_topology() if _needs_machine(config) else MachineTopology(cpus=(), nodes=())
        self.cpus = cpu_manager(config, machine, metrics)
        self.memory = memory_manager(config, machine, reservation(capacity, config), metrics)
        providers = (*devices, self.cpus, self.memory)
        by_pod = config.feature_gates[GATE]
        self.topology = topology_manager(config.managers, providers, machine, metrics, clock, by_pod=by_pod)

    def recover(self) -> None:
        """Take over the allotments of an earlier agent. Raises FailedPrecondition and Internal."""
        self.cpus.recover()
        self.memory.recover()

    def reconciler(self, ports: CpuReconcilerPorts) -> CpuReconciler | None:
        """The reconciler of CPUs. None if all containers may run on all CPUs."""
        managers = self._config.managers
        return CpuReconciler(ports, managers.cpu_reconcile_period_s) if managers.cpu_policy == STATIC else None


def _needs_machine(config: AgentConfig) -> bool:
    managers = config.managers
    uses_nodes = managers.topology_policy != NONE or managers.memory_policy == MEMORY_STATIC
    return managers.cpu_policy == STATIC or uses_nodes
