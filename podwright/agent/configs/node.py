"""The inputs of messages in addition to the pod: facts about this machine, and settings of the node."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping

import msgspec

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.memory_qos import MemoryQos
from podwright.agent.node.machine import Machine
from podwright.linux import cgroup, selinux
from podwright.linux.cgroup import CgroupHost
from podwright.linux.huge_pages import spelt

TIERED = "TieredReservation"
THROTTLE_PATHS = "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about this machine that do not change while the agent runs.

    `addresses` are the node's, its primary family first. `allocatable` has quantities by resource. `huge_page_sizes`
    are in CRI's format (2MB). `throttle_paths` exist only on processors that report throttling.
    """

    node_name: str
    addresses: tuple[str, ...] = ()
    memory_bytes: int
    swap_bytes: int = 0
    allocatable: Mapping[str, str] = msgspec.field(default_factory=dict)
    huge_page_sizes: tuple[str, ...] = ()
    throttle_paths: tuple[str, ...] = ()
    is_cgroup_v2: bool = False
    has_swap_control: bool = False
    has_selinux: bool = False


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the node that messages depend on.

    `cpu_period_us` None means that CPU limits are not enforced. `resolver_config` is the path of the resolv.conf that
    pods get their servers from. Empty for none.
    """

    cluster_domain: str = ""
    cluster_dns: tuple[str, ...] = ()
    resolver_config: str = "/etc/resolv.conf"
    cpu_period_us: int | None = 100_000
    kill_whole_container: bool = True
    swap_behavior: str = ""
    memory_qos: MemoryQos | None = None  # None: the gate is off
    seccomp_default: bool = False
    seccomp_root: str = "/var/lib/kubelet/seccomp"
    log_root: str = "/var/log/pods"
    root: str = "/var/lib/kubelet"


def settings_of(config: AgentConfig) -> NodeSettings:
    """The settings from the agent's configuration. `singleProcessOOMKill` is false on cgroup v2 unless it is set."""
    cgroups, network, root = config.cgroups, config.network, config.process.root_dir
    return NodeSettings(
        cluster_domain=network.cluster_domain,
        cluster_dns=network.cluster_dns,
        resolver_config=network.resolver_config,
        cpu_period_us=round(cgroups.cpu_cfs_quota_period_s * 1e6) if cgroups.cpu_cfs_quota else None,
        kill_whole_container=not cgroups.single_process_oom_kill,
        swap_behavior=cgroups.swap_behavior,
        memory_qos=memory_qos_of(config),
        seccomp_default=config.pods.seccomp_default,
        seccomp_root=os.path.join(root, "seccomp"),
        log_root=config.container_logs.root,
        root=root,
    )


def memory_qos_of(config: AgentConfig) -> MemoryQos | None:
    """The rules of the gate MemoryQoS, None when it is off."""
    if not config.feature_gates["MemoryQoS"]:
        return None
    cgroups = config.cgroups
    return MemoryQos(
        is_tiered=cgroups.memory_reservation_policy == TIERED, throttling=cgroups.memory_throttling_factor
    )


def read_facts(
    node_name: str, machine: Machine, addresses: tuple[str, ...], allocatable: Mapping[str, str]
) -> NodeFacts:
    """Read the facts that `machine` lacks. Raises OSError."""
    host = cgroup.detect()
    return NodeFacts(
        node_name=node_name,
        addresses=addresses,
        memory_bytes=machine.memory_bytes,
        swap_bytes=machine.swap_bytes,
        allocatable=allocatable,
        huge_page_sizes=tuple(spelt(size_bytes) for size_bytes in sorted(machine.huge_pages)),
        throttle_paths=tuple(sorted(glob.glob(THROTTLE_PATHS))),
        is_cgroup_v2=host.layout == "v2",
        has_swap_control=_has_swap_control(host),
        has_selinux=selinux.is_enabled(),
    )


def _has_swap_control(host: CgroupHost) -> bool:
    """Whether swap can be limited. v1 lacks the file if the kernel was started with swapaccount=0."""
    if host.layout != "v2":
        return os.path.exists(f"{host.controllers.get('memory')}/memory.memsw.limit_in_bytes")
    with open("/proc/self/cgroup", encoding="ascii") as file:
        own = file.read().strip().rpartition("::")[2]
    return os.path.exists(f"{host.unified}{own.rstrip('/')}/memory.swap.max")
