"""Makes the CPU manager from the configuration."""

from __future__ import annotations

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.metrics.managers import ManagerMetrics
from podwright.agent.node.capacity import CPU, reserved_amounts
from podwright.agent.resources.cpus.layout import CpuLayout
from podwright.agent.resources.cpus.manager import STATIC, CpuManager
from podwright.agent.resources.cpus.options import check_machine, read_cpu_options
from podwright.agent.resources.cpus.static import StaticPolicy, reserve
from podwright.agent.resources.pod_level import GATE
from podwright.agent.resources.topology.machine import MachineTopology
from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux.cpu_lists import parse

QUOTA_GATE = "DisableCPUQuotaWithExclusiveCPUs"


def cpu_manager(config: AgentConfig, machine: MachineTopology, metrics: ManagerMetrics) -> CpuManager:
    """The manager.

    Raises InvalidArgument and FailedPrecondition if this machine or agent does not support the settings.
    """
    managers, layout, root = config.managers, CpuLayout(machine), config.process.root_dir
    if managers.cpu_policy != STATIC:
        if managers.cpu_policy_options:
            names = ", ".join(managers.cpu_policy_options)
            raise InvalidArgument(
                f"None policy: received unsupported options: {names}", hint="unset cpuManagerPolicyOptions"
            )
        return CpuManager(layout, None, root, metrics)
    options = read_cpu_options(managers.cpu_policy_options, config.feature_gates)
    check_machine(options, layout, managers.topology_policy)
    reserved = reserve(layout, parse(config.reserved.cpus), _number(config), options)
    policy = StaticPolicy(layout, reserved, options, by_pod=config.feature_gates[GATE])
    return CpuManager(layout, policy, root, metrics, options=options, lifts_quota=config.feature_gates[QUOTA_GATE])


def _number(config: AgentConfig) -> int:
    """The number of reserved CPUs. A fraction of a CPU counts as one."""
    milli = sum(part[CPU].milli for part in reserved_amounts(config) if CPU in part)
    if not milli:
        raise FailedPrecondition(
            "the static policy requires systemreserved.cpu + kubereserved.cpu to be greater than zero",
            hint="set reservedSystemCPUs, systemReserved or kubeReserved",
        )
    return -(-milli // 1000)
