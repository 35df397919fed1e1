"""The capacity of the node, and what of it pods may use (Node Allocatable). Pure except for the size of a disk."""

from __future__ import annotations

import os
from collections.abc import Mapping

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.config.thresholds import EvictionSignal
from podwright.agent.node.machine import Machine
from podwright.k8s.quantity import NANO, Amount, Format
from podwright.linux import cpu_lists

CPU, MEMORY, STORAGE, PODS = "cpu", "memory", "ephemeral-storage", "pods"
Amounts = dict[str, Amount]
_KEPT_FREE = {EvictionSignal.MEMORY: MEMORY, EvictionSignal.NODE_FS: STORAGE}


def capacity(machine: Machine, config: AgentConfig, root: str) -> Amounts:
    """CPU, memory, huge pages, pods, and the space of the filesystem at `root`. Raises OSError."""
    disk = os.statvfs(root)
    pods = config.pods.max_pods
    if config.pods.pods_per_core:
        pods = min(pods, config.pods.pods_per_core * machine.cpu_count)
    found = {
        CPU: _whole(machine.cpu_count),
        MEMORY: _bytes(machine.memory_bytes),
        STORAGE: _bytes(disk.f_blocks * disk.f_frsize),
        PODS: _whole(pods),
    }
    for size_bytes, total_bytes in sorted(machine.huge_pages.items()):
        found[f"hugepages-{_bytes(size_bytes)}"] = _bytes(total_bytes)
    return found


def reserved_amounts(config: AgentConfig) -> tuple[Amounts, Amounts]:
    """The reservations for the system and for Kubernetes' own programs.

    CPUs that are reserved by their numbers count for the system, and replace all other reservations of CPU.
    """
    system, kube = (
        {name: Amount(nano) for name, nano in part.items()}
        for part in (config.reserved.system_nano, config.reserved.kube_nano)
    )
    if cpus := cpu_lists.parse(config.reserved.cpus):
        system[CPU] = _whole(len(cpus))
        kube.pop(CPU, None)
    return system, kube


def reservation(total: Mapping[str, Amount], config: AgentConfig) -> Amounts:
    """The part of the node that pods do not get: what is reserved, and what hard eviction keeps free."""
    found = {name: Amount(0, amount.format) for name, amount in total.items()}
    for reserved in reserved_amounts(config):
        for name, amount in reserved.items():
            if name in found:
                found[name] = found[name] + amount
    for threshold in config.eviction.thresholds:
        name = _KEPT_FREE.get(threshold.signal, "")
        if name in found and threshold.is_hard:
            found[name] = found[name] + threshold.value.of(total[name].whole)
    return found


def allocatable(total: Amounts, config: AgentConfig) -> Amounts:
    """The resources for pods: the capacity without `reservation` and without memory in huge pages."""
    kept = reservation(total, config)
    rest = {name: amount - kept.get(name, Amount(0)) for name, amount in total.items()}
    huge = sum(amount.nano for name, amount in total.items() if name.startswith("hugepages-"))
    rest[MEMORY] = rest[MEMORY] - Amount(huge)
    return {name: amount if amount.nano > 0 else Amount(0, amount.format) for name, amount in rest.items()}


def texts(amounts: Mapping[str, Amount]) -> dict[str, str]:
    """The amounts as the API writes them."""
    return {name: str(amount) for name, amount in amounts.items()}


def _whole(count: int) -> Amount:
    return Amount(count * NANO)


def _bytes(count: int) -> Amount:
    return Amount(count * NANO, Format.BINARY)
