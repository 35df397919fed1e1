"""AgentConfig: the one value that the rest of the agent reads its configuration from.

Every attribute names its setting, so that no second list has to be kept. `AgentConfig()` is what a kubelet has when
its file says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from podwright.agent.config import gates
from podwright.agent.config.machine_sections import Cgroups, Eviction, Managers, Reserved, Shutdown
from podwright.agent.config.node_sections import Api, Node, Process, Security, Server
from podwright.agent.config.pod_sections import (
    ContainerLogs,
    DeadContainers,
    Images,
    Network,
    Pods,
    Runtime,
    Sources,
    Volumes,
)
from podwright.agent.config.structure import section, source


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """The whole configuration; `feature_gates` has every gate of the kubelet."""

    sources: Sources = section(Sources)
    runtime: Runtime = section(Runtime)
    pods: Pods = section(Pods)
    dead_containers: DeadContainers = section(DeadContainers)
    images: Images = section(Images)
    cgroups: Cgroups = section(Cgroups)
    reserved: Reserved = section(Reserved)
    managers: Managers = section(Managers)
    eviction: Eviction = section(Eviction)
    container_logs: ContainerLogs = section(ContainerLogs)
    network: Network = section(Network)
    server: Server = section(Server)
    security: Security = section(Security)
    node: Node = section(Node)
    api: Api = section(Api)
    volumes: Volumes = section(Volumes)
    shutdown: Shutdown = section(Shutdown)
    process: Process = section(Process)
    feature_gates: Mapping[str, bool] = source("featureGates", convert=lambda chosen: gates.enabled(chosen or {}))
