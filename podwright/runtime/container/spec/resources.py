"""cgroup limits: CRI's resources to the OCI spec's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from podwright.errors import InvalidArgument
from podwright.runtime.model.base import Resources

HUGE_PAGE_SIZE = re.compile(r"\d+[KMG]B")


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupAbilities:
    """What the host's cgroups can do; limits for absent controllers are left out where the field does so."""

    swap: bool = True
    hugetlb: bool = True
    unified: bool = False  # the whole host is on cgroup v2


def oci_resources(resources: Resources, abilities: CgroupAbilities) -> dict[str, Any]:
    """The OCI `linux.resources` without devices. Raises InvalidArgument for values that contradict each other.

    A memory limit without a swap limit means no swap on top of it, where swap is accounted at all.
    """
    _check(resources)
    result: dict[str, Any] = {}
    cpu = {
        "shares": resources.cpu_shares,
        "quota": resources.cpu_quota,
        "period": resources.cpu_period,
        "cpus": resources.cpuset_cpus,
        "mems": resources.cpuset_mems,
    }
    if given := {key: value for key, value in cpu.items() if value}:
        result["cpu"] = given
    memory: dict[str, int] = {}
    if resources.memory_limit_bytes:
        memory["limit"] = resources.memory_limit_bytes
    if abilities.swap and (swap := resources.memory_swap_limit_bytes or resources.memory_limit_bytes):
        memory["swap"] = swap
    if memory:
        result["memory"] = memory
    if abilities.hugetlb and resources.hugepage_limits:
        result["hugepageLimits"] = [{"pageSize": size, "limit": limit} for size, limit in resources.hugepage_limits]
    if abilities.unified and resources.unified:
        result["unified"] = dict(resources.unified)
    return result


def _check(resources: Resources) -> None:
    for name in ("cpu_period", "cpu_shares", "memory_limit_bytes"):
        if getattr(resources, name) < 0:
            raise InvalidArgument(f"resources: {name} is negative")
    limit, swap = resources.memory_limit_bytes, resources.memory_swap_limit_bytes
    if limit and 0 < swap < limit:
        raise InvalidArgument(f"resources: the memory and swap limit {swap} is below the memory limit {limit}")
    if not -1000 <= resources.oom_score_adj <= 1000:
        raise InvalidArgument(f"resources: oom_score_adj {resources.oom_score_adj} is not within -1000 to 1000")
    for size, _ in resources.hugepage_limits:
        if not HUGE_PAGE_SIZE.fullmatch(size):
            raise InvalidArgument(f"resources: huge page size {size!r} is not like 2MB or 1GB")
    for name in resources.unified:
        if not re.fullmatch(r"[a-z0-9_.]+", name):
            raise InvalidArgument(f"resources: {name!r} is not the name of a cgroup file")
