"""Rules for what is reserved and how it is enforced: cgroups, CPUs, memory."""

from __future__ import annotations

import re
from collections import Counter

from podwright.agent.config.values import Values
from podwright.k8s.quantity import parse_nano

_ENFORCEMENTS = (
    "pods",
    "system-reserved",
    "system-reserved-compressible",
    "kube-reserved",
    "kube-reserved-compressible",
    "none",
)
_CPU_RANGE = re.compile(r"[+-]?\d{1,9}(-\d{1,9})?")


def problems(values: Values) -> list[str]:
    """What is wrong with reservations and their enforcement."""
    return [*_cgroups(values), *_enforcement(values), *_reserved_cpus(values), *_reserved_memory(values)]


def _cgroups(values: Values) -> list[str]:
    if values["systemCgroups"] and not values["cgroupRoot"]:
        return ["systemCgroups (--system-cgroups) needs cgroupRoot (--cgroup-root)"]
    return []


def _enforcement(values: Values) -> list[str]:
    levels = values["enforceNodeAllocatable"] or ()
    name = "enforceNodeAllocatable (--enforce-node-allocatable)"
    found = [f"{name} has {level!r} twice" for level, times in Counter(levels).items() if times > 1]
    for level in dict.fromkeys(levels):
        owner = level.removesuffix("-compressible")
        if level not in _ENFORCEMENTS:
            found.append(f"{name} has {level!r}, which is none of {', '.join(_ENFORCEMENTS)}")
            continue
        if level == "none":
            found += [f"{name} must hold nothing else beside 'none'"] if len(levels) > 1 else []
            continue
        if owner != level and owner in levels:
            found.append(f"{name} must not hold both {owner!r} and {level!r}")
        cgroup = {"system-reserved": "systemReservedCgroup", "kube-reserved": "kubeReservedCgroup"}.get(owner)
        if cgroup and not values[cgroup]:
            found.append(f"{name} with {level!r} needs {cgroup}")
        if not values["cgroupsPerQOS"]:
            found.append(f"{name} with {level!r} needs cgroupsPerQOS (--cgroups-per-qos)")
    return found


def _reserved_cpus(values: Values) -> list[str]:
    cpus, name = values["reservedSystemCPUs"], "reservedSystemCPUs (--reserved-cpus)"
    if not cpus:
        return []
    found = []
    if values["systemReservedCgroup"] or values["kubeReservedCgroup"]:
        found.append(f"{name} excludes systemReservedCgroup and kubeReservedCgroup")
    for entry in cpus.split(","):
        low, dash, high = entry.partition("-")
        if not _CPU_RANGE.fullmatch(entry) or (low and dash and int(low) > int(high)):
            found.append(f"{name} {cpus!r} is not a list of CPUs such as 0-3,8")
            break
    return found


def _reserved_memory(values: Values) -> list[str]:
    found: list[str] = []
    seen: set[tuple[int, str]] = set()
    for reservation in values["reservedMemory"] or ():
        node = reservation.get("numaNode", 0)
        for resource, size in (reservation.get("limits") or {}).items():
            place = f"reservedMemory of NUMA node {node}: {resource}"
            if resource != "memory" and not resource.startswith("hugepages-"):
                found.append(f"{place} is neither memory nor hugepages-SIZE")
            if parse_nano(size) == 0:
                found.append(f"{place} must not be zero")
            if (node, resource) in seen:
                found.append(f"{place} is given twice")
            seen.add((node, resource))
    return found
