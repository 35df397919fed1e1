"""Enforces the reservations for the system and for Kubernetes' own programs on their cgroups (enforceNodeAllocatable).

The rules and messages are the kubelet's (pkg/kubelet/cm/node_container_manager_linux.go of Kubernetes 1.36).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence

import msgspec

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.cpu import cpu_shares
from podwright.agent.configs.huge_pages import page_size
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.node.capacity import reservation, reserved_amounts
from podwright.agent.resources.cgroup_names import Driver
from podwright.agent.resources.drivers import CgroupDriver
from podwright.agent.resources.limits import PIDS, CgroupLimits
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.k8s.pod_resources import Amounts, is_huge_pages
from podwright.k8s.quantity import Amount
from podwright.linux.cgroup import CgroupHost
from podwright.linux.slices import SLICE, nested

log = logging.getLogger(__name__)

SYSTEM, KUBE, COMPRESSIBLE = "system-reserved", "kube-reserved", "-compressible"
NEEDED = ("cpu", "cpuset", "memory", "pids", "hugetlb")  # the hierarchies that must have the cgroup


class ReservedCgroup(msgspec.Struct, frozen=True, kw_only=True):
    """A cgroup that others make, and its limits. `title` is the name of the reservation in events."""

    title: str
    path: str
    limits: CgroupLimits


def reserved_cgroups(config: AgentConfig, driver: Driver) -> list[ReservedCgroup]:
    """The cgroups to limit, the system's first. Pure."""
    system, kube = reserved_amounts(config)
    reserved = config.reserved
    wanted = [
        (SYSTEM, "System Reserved", reserved.system_cgroup, system, False),
        (KUBE, "Kube Reserved", reserved.kube_cgroup, kube, False),
        (SYSTEM + COMPRESSIBLE, "System Reserved Compressible", reserved.system_cgroup, system, True),
        (KUBE + COMPRESSIBLE, "Kube Reserved Compressible", reserved.kube_cgroup, kube, True),
    ]
    keeps = config.feature_gates["MemoryQoS"]
    return [
        ReservedCgroup(
            title=title, path=cgroup_path(name, driver), limits=_limits(amounts, only_cpu=only_cpu, keeps=keeps)
        )
        for level, title, name, amounts, only_cpu in wanted
        if level in reserved.enforced
    ]


def check_reservations(capacity: Mapping[str, Amount], config: AgentConfig) -> None:
    """Raise FailedPrecondition if more is reserved than the node has."""
    taken = reservation(capacity, config)
    problems = [
        f'Resource "{name}" has a reservation of {taken[name]} but capacity of {total}. '
        "Expected capacity >= reservation."
        for name, total in capacity.items()
        if taken[name].nano > total.nano
    ]
    if problems:
        raise FailedPrecondition(
            f"invalid Node Allocatable configuration. {' '.join(problems)}",
            hint="lower systemReserved or kubeReserved",
        )


def cgroup_path(name: str, driver: Driver) -> str:
    """The path of a configured cgroup. For the systemd driver the configuration has the name of a slice."""
    if driver == "systemd" and name.endswith(SLICE):
        return nested(os.path.basename(name))
    return f"/{name.strip('/')}"


async def enforce(
    reserved: Sequence[ReservedCgroup], host: CgroupHost, driver: CgroupDriver, events: EventRecorder
) -> None:
    """Set the limits of the cgroups, which must exist. Raises FailedPrecondition."""
    for each in reserved:
        try:
            _check_exists(each.path, host)
            await driver.limit(each.path, each.limits)
        except (PodwrightError, OSError) as failure:
            message = f'Failed to enforce {each.title} Cgroup Limits on "{each.path}": {failure}'
            events.node("Warning", "FailedNodeAllocatableEnforcement", message)
            raise FailedPrecondition(message) from failure
        owner = each.title.removesuffix(" Compressible").lower()
        events.node("Normal", "NodeAllocatableEnforced", f"Updated limits on {owner} cgroup {each.path}")


def _limits(amounts: Amounts, *, only_cpu: bool, keeps: bool) -> CgroupLimits:
    """The limits. `keeps`: the kernel also protects the memory (MemoryQoS)."""
    shares = cpu_shares(amounts["cpu"].milli) if "cpu" in amounts else None
    if only_cpu:
        return CgroupLimits(cpu_shares=shares)
    memory = amounts["memory"].whole if "memory" in amounts else None
    return CgroupLimits(
        cpu_shares=shares,
        memory_bytes=memory,
        memory_min_bytes=memory if keeps else None,
        pids=amounts[PIDS].whole if PIDS in amounts else None,
        huge_pages={page_size(name): amount.whole for name, amount in amounts.items() if is_huge_pages(name)},
    )


def _check_exists(path: str, host: CgroupHost) -> None:
    directories = {directory for name in NEEDED if (directory := host.directory(path, name)) is not None}
    missing = sorted(directory for directory in directories if not os.path.isdir(directory))
    if missing:
        raise FailedPrecondition(f"cgroup {path} has some missing paths: {', '.join(missing)}", hint="make it")
