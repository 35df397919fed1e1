"""AgentConfig: the value from which the rest of the agent reads its configuration.

It has the settings that the agent honours. Every attribute names its setting, so there is no second list.
`AgentConfig()` is what a kubelet has with an empty file.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podwright.agent.config import gates
from podwright.agent.config.machine_sections import (
    CgroupSection,
    EvictionSection,
    ManagerSection,
    ReservedSection,
    ShutdownSection,
)
from podwright.agent.config.node_sections import (
    ApiSection,
    NodeSection,
    ProcessSection,
    SecuritySection,
    ServerSection,
)
from podwright.agent.config.pod_sections import (
    ContainerLogSection,
    DeadContainerSection,
    ImageSection,
    NetworkSection,
    PodSection,
    RuntimeSection,
    SourceSection,
    VolumeSection,
)
from podwright.agent.config.structure import section, source


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration. `feature_gates` has every gate of the kubelet."""

    sources: SourceSection = section(SourceSection)
    runtime: RuntimeSection = section(RuntimeSection)
    pods: PodSection = section(PodSection)
    dead_containers: DeadContainerSection = section(DeadContainerSection)
    images: ImageSection = section(ImageSection)
    cgroups: CgroupSection = section(CgroupSection)
    reserved: ReservedSection = section(ReservedSection)
    managers: ManagerSection = section(ManagerSection)
    eviction: EvictionSection = section(EvictionSection)
    container_logs: ContainerLogSection = section(ContainerLogSection)
    network: NetworkSection = section(NetworkSection)
    server: ServerSection = section(ServerSection)
    security: SecuritySection = section(SecuritySection)
    node: NodeSection = section(NodeSection)
    api: ApiSection = section(ApiSection)
    volumes: VolumeSection = section(VolumeSection)
    shutdown: ShutdownSection = section(ShutdownSection)
    process: ProcessSection = section(ProcessSection)
    feature_gates: Mapping[str, bool] = source("featureGates", convert=lambda chosen: gates.enabled(chosen or {}))
