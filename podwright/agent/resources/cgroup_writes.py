"""Turns limits into writes to the files of a cgroup, for every layout of cgroups. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podwright.agent.configs.cpu import PERIOD_US, cpu_weight
from podwright.agent.resources.limits import CgroupLimits
from podwright.linux.cgroup import CgroupHost


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """Text for a file. Some kernels lack an `optional` file."""

    path: str
    text: str
    optional: bool = False


def writes(limits: CgroupLimits, host: CgroupHost, path: str) -> tuple[Write, ...]:
    """The writes in order. Limits of controllers that the host lacks are left out."""
    found = []
    for controller, name, text, optional in (*_cpu(limits, host), *_others(limits, host)):
        directory = host.directory(path, controller)
        if directory is not None:
            found.append(Write(path=f"{directory}/{name}", text=text, optional=optional))
    return tuple(found)


_Row = tuple[str, str, str, bool]


def _cpu(limits: CgroupLimits, host: CgroupHost) -> Iterator[_Row]:
    quota, period = limits.cpu_quota_us, limits.cpu_period_us
    if "cpu" in host.controllers:
        if limits.cpu_shares is not None:
            yield "cpu", "cpu.shares", str(limits.cpu_shares), False
        if period is not None:
            yield "cpu", "cpu.cfs_period_us", str(period), False
        if quota is not None:
            yield "cpu", "cpu.cfs_quota_us", str(quota if quota > 0 else -1), False
        return
    if limits.cpu_shares is not None:
        yield "cpu", "cpu.weight", str(cpu_weight(limits.cpu_shares)), False
    if quota is not None:
        yield "cpu", "cpu.max", f"{quota if quota > 0 else 'max'} {period or PERIOD_US}", False


def _others(limits: CgroupLimits, host: CgroupHost) -> Iterator[_Row]:
    if limits.cpus is not None:
        yield "cpuset", "cpuset.cpus", limits.cpus, False
    if limits.memory_bytes:
        name = "memory.limit_in_bytes" if "memory" in host.controllers else "memory.max"
        yield "memory", name, str(limits.memory_bytes), False
    if "memory" not in host.controllers:
        for name, kept in (("memory.min", limits.memory_min_bytes), ("memory.low", limits.memory_low_bytes)):
            if kept is not None:
                yield "memory", name, str(kept), False
    if limits.pids is not None:
        yield "pids", "pids.max", str(limits.pids) if limits.pids > 0 else "max", False
    suffix = "limit_in_bytes" if "hugetlb" in host.controllers else "max"
    for size, limit in (limits.huge_pages or {}).items():
        yield "hugetlb", f"hugetlb.{size}.{suffix}", str(limit), False
        # Since Linux 5.7 reserved pages that are not yet used are counted separately.
        yield "hugetlb", f"hugetlb.{size}.rsvd.{suffix}", str(limit), True
