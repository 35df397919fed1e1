"""Makes the topology manager from the configuration."""

from __future__ import annotations

import os
from collections.abc import Sequence

from podwright.agent.clock import Clock
from podwright.agent.config.machine_sections import ManagerSection
from podwright.agent.metrics.managers import ManagerMetrics
from podwright.agent.resources.topology.hints import HintProvider
from podwright.agent.resources.topology.machine import MachineTopology, read_topology
from podwright.agent.resources.topology.manager import TopologyManager
from podwright.agent.resources.topology.policies import NONE, TopologyPolicy, read_options


def usable_topology() -> MachineTopology:
    """This machine, with the CPUs that this process may use."""
    return read_topology(usable=os.sched_getaffinity(0))


def topology_manager(
    managers: ManagerSection,
    providers: Sequence[HintProvider],
    machine: MachineTopology | None = None,
    metrics: ManagerMetrics | None = None,
    clock: Clock | None = None,
    *,
    by_pod: bool = False,
) -> TopologyManager:
    """The manager.

    Raises InvalidArgument and FailedPrecondition if this machine or agent does not support the settings.
    """
    if managers.topology_policy == NONE:
        return TopologyManager(providers, metrics=metrics, clock=clock)
    options = read_options(managers.topology_policy_options)
    policy = TopologyPolicy(managers.topology_policy, options, machine or usable_topology())
    return TopologyManager(providers, policy, managers.topology_scope, metrics, clock, by_pod=by_pod)
