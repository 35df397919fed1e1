"""Rules for what is reserved and how it is enforced: cgroups, CPUs, memory."""

from __future__ import annotations

import re
from collections import Counter

from podwright.agent.config.refusals import either, invalid, named, quoted
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
_ENFORCE = "enforceNodeAllocatable (--enforce-node-allocatable)"
_CGROUPS = {"system-reserved": "systemReservedCgroup", "kube-reserved": "kubeReservedCgroup"}
_CPU = re.compile(r"[+-]?\d{1,9}")


def problems(values: Values) -> list[str]:
    """The problems of reservations and their enforcement."""
    found = [*_cgroups(values), *_enforcement(values), *_reserved_cpus(values), *_reserved_memory(values)]
    return list(map(invalid, found))


def _cgroups(values: Values) -> list[str]:
    if values["systemCgroups"] and not values["cgroupRoot"]:
        return ["systemCgroups (--system-cgroups) was specified and cgroupRoot (--cgroup-root) was not specified"]
    return []


def _enforcement(values: Values) -> list[str]:
    levels = values["enforceNodeAllocatable"] or ()
    found = [
        f"both {quoted(level)} and {quoted(f'{level}-compressible')} cannot be specified together in {_ENFORCE}"
        for level in ("system-reserved", "kube-reserved")
        if {level, f"{level}-compressible"} <= set(levels)
    ]
    found += [
        f"duplicated enforcements {quoted(level)} in {_ENFORCE}"
        for level, times in Counter(levels).items()
        if times > 1
    ]
    for level in dict.fromkeys(levels):
        found += _level(level, values, is_alone=len(levels) == 1)
    return found


def _level(level: str, values: Values, *, is_alone: bool) -> list[str]:
    """The problems of one entry of enforceNodeAllocatable."""
    if level not in _ENFORCEMENTS:
        return [f"option {quoted(level)} specified for {_ENFORCE}. Valid options are {either(_ENFORCEMENTS)}"]
    if level == "none":
        told = f'{_ENFORCE} may not contain additional enforcements when "none" is specified'
        return [] if is_alone else [told]
    found = []
    owner = level.removesuffix("-compressible")
    cgroup = _CGROUPS.get(owner)
    if cgroup and not values[cgroup]:
        found.append(
            f"{named(cgroup)} must be specified when {quoted(owner)} or {quoted(f'{owner}-compressible')} included "
            f"in {_ENFORCE}"
        )
    if not values["cgroupsPerQOS"]:
        found.append(
            f"cgroupsPerQOS (--cgroups-per-qos) must be set to true when {quoted(level)} contained in {_ENFORCE}"
        )
    return found


def _reserved_cpus(values: Values) -> list[str]:
    cpus = values["reservedSystemCPUs"]
    if not cpus:
        return []
    found = []
    if values["systemReservedCgroup"] or values["kubeReservedCgroup"]:
        found.append(
            "can't use reservedSystemCPUs (--reserved-cpus) with systemReservedCgroup (--system-reserved-cgroup) or "
            "kubeReservedCgroup (--kube-reserved-cgroup)"
        )
    faults = [fault for entry in cpus.split(",") if (fault := _bad_cpus(entry))]
    if faults:
        found.append(f"unable to parse reservedSystemCPUs (--reserved-cpus) {cpus}, error: {faults[0]}")
    return found


def _bad_cpus(entry: str) -> str:
    """Why this is no CPU and no range of CPUs. Empty when it is one."""
    low, dash, high = entry.partition("-")
    for number in (low, high) if dash else (low,):
        if not _CPU.fullmatch(number):
            return f"strconv.Atoi: parsing {quoted(number)}: invalid syntax"
    return f"invalid range {quoted(entry)} ({int(low)} > {int(high)})" if dash and int(low) > int(high) else ""


def _reserved_memory(values: Values) -> list[str]:
    found: list[str] = []
    seen: set[tuple[int, str]] = set()
    for reservation in values["reservedMemory"] or ():
        node = reservation.get("numaNode", 0)
        for resource, size in (reservation.get("limits") or {}).items():
            place = f"for NUMA node {node} and resource {quoted(resource)}"
            if resource != "memory" and not resource.startswith("hugepages-"):
                found.append(
                    f"the limit type {quoted(resource)} for NUMA node {node} is not supported, only "
                    "[memory hugepages-<HugePageSize>] is accepted"
                )
            if parse_nano(size) == 0:
                found.append(f"reserved memory may not be zero {place}")
            if (node, resource) in seen:
                found.append(f"the reserved memory has a duplicate value {place}")
            seen.add((node, resource))
    return found
