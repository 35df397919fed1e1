"""Makes the settings of statistics from the configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.stats.provider import StatsSettings
from podwright.agent.stats.system_parts import RuntimeProcess, own_cgroup
from podwright.linux.cgroup import CgroupHost

PRESSURE = "/proc/pressure/cpu"  # exists if the kernel measures pressure (PSI)


def stats_settings(
    config: AgentConfig, host: CgroupHost, *, node_name: str, endpoint: str, pods_cgroup: str
) -> StatsSettings:
    """`endpoint` is the runtime's. `pods_cgroup` is the cgroup above all pods, empty if there is none."""
    runtime = RuntimeProcess(endpoint)

    def parts() -> Mapping[str, str]:
        return {
            "kubelet": config.cgroups.kubelet or own_cgroup(host).rstrip("/"),
            "runtime": config.runtime.cgroups or runtime.cgroup(host),
            "misc": config.cgroups.system,
            "pods": pods_cgroup,
        }

    return StatsSettings(
        node_name=node_name,
        root=config.process.root_dir,
        log_root=config.container_logs.root,
        with_pressure=os.path.exists(PRESSURE),
        parts=parts,
    )
