"""Resource limits: the request's, those granted on this host, and their OCI form. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.model.base import Resources

HUGE_PAGE_SIZE = re.compile(r"[1-9]\d*[KMG]B")
CPU_LIST = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")
# Only files of controllers: cgroup.kill, cgroup.freeze and similar files are not limits.
UNIFIED_NAME = re.compile(r"(?!cgroup\.)[a-z0-9_]+\.[a-zA-Z0-9_.]+")
UNLIMITED = -1
SWAP_FILE = "memory.swap.max"
DEFAULT_PERIOD_US = 100_000
# The kernel's bounds (kernel/sched/core.c). It silently changes shares outside of them.
SHARES_MIN, SHARES_MAX = 2, 262144
QUOTA_MIN_US, PERIOD_MAX_US = 1000, 1_000_000


class CgroupAbilities(msgspec.Struct, frozen=True, kw_only=True):
    """What the host's cgroups support. `huge_page_sizes` is empty if huge pages cannot be limited."""

    swap: bool = True
    huge_page_sizes: frozenset[str] = frozenset()
    unified: bool = False  # the host uses cgroup v2 alone


def granted(wanted: Resources, abilities: CgroupAbilities, *, lowest_oom_score_adj: int = -1000) -> Resources:
    """The limits that a container gets on this host for `wanted`. Its status shows them.

    A memory limit without a swap limit means no swap on top of it. No memory limit (-1) means no swap limit either.
    Limits for swap and huge pages are dropped if the host does not account for them, because a kubelet sends them by
    default. v2's files are not dropped, because it does not. Raises InvalidArgument for contradictory values, and
    FailedPrecondition.
    """
    check(wanted)
    if wanted.unified and not abilities.unified:
        raise FailedPrecondition("resources: this host has no files of cgroup v2", hint="leave unified empty")
    swap = wanted.memory_swap_limit_bytes or wanted.memory_limit_bytes
    return msgspec.structs.replace(
        wanted,
        cpu_shares=wanted.cpu_shares and min(max(wanted.cpu_shares, SHARES_MIN), SHARES_MAX),
        memory_swap_limit_bytes=swap if abilities.swap else 0,
        hugepage_limits=_huge_pages(wanted, abilities),
        oom_score_adj=max(wanted.oom_score_adj, lowest_oom_score_adj),
    )


def merged(current: Resources, change: Resources) -> Resources:
    """`current` with the values of `change`. 0 and empty mean no change.

    Huge pages and v2's files merge one by one.
    """
    given = {field: value for field in change.__struct_fields__ if (value := getattr(change, field))}
    if "memory_limit_bytes" in given and "memory_swap_limit_bytes" not in given:
        given["memory_swap_limit_bytes"] = 0  # it follows the new memory limit
    given["hugepage_limits"] = tuple({**dict(current.hugepage_limits), **dict(change.hugepage_limits)}.items())
    given["unified"] = {**current.unified, **change.unified}
    return msgspec.structs.replace(current, **given)


def oci_resources(limits: Resources) -> dict[str, Any]:
    """The OCI `linux.resources` for granted limits, without devices."""
    cpu = {
        "shares": limits.cpu_shares,
        "quota": limits.cpu_quota,
        # Without a period, crun does not remove a quota on v2.
        "period": limits.cpu_period or (DEFAULT_PERIOD_US if limits.cpu_quota == UNLIMITED else 0),
        "cpus": limits.cpuset_cpus,
        "mems": limits.cpuset_mems,
    }
    memory = {"limit": limits.memory_limit_bytes, "swap": limits.memory_swap_limit_bytes}
    sections: dict[str, Any] = {
        "cpu": {key: value for key, value in cpu.items() if value},
        "memory": {key: value for key, value in memory.items() if value},
        "hugepageLimits": [{"pageSize": size, "limit": limit} for size, limit in limits.hugepage_limits],
        "unified": dict(limits.unified),
    }
    return {name: section for name, section in sections.items() if section}


def without_quota(oci: dict[str, Any]) -> dict[str, Any]:
    """The same without a CPU quota of -1, because crun before 1.8.7 cannot write that to v1's files."""
    cpu = oci.get("cpu", {})
    if cpu.get("quota") != UNLIMITED:
        return oci
    return {**oci, "cpu": {key: value for key, value in cpu.items() if key != "quota"}}


def with_swap_file(oci: dict[str, Any]) -> dict[str, Any]:
    """The same for cgroup v2, with its own file in the place of OCI's limit of memory and swap together.

    With the systemd driver, crun (1.21) has systemd set the sum as the limit of swap alone, and runc (1.1) does not
    tell systemd of a limit of 0, which its next reload then lifts. Both pass the file on as MemorySwapMax.
    """
    memory = dict(oci.get("memory", {}))
    swap = memory.pop("swap", None)
    if swap is None:
        return oci
    file = "max" if swap == UNLIMITED else str(swap - memory["limit"])
    return {**oci, "memory": memory, "unified": {SWAP_FILE: file, **oci.get("unified", {})}}


def check(resources: Resources) -> None:
    """Raises InvalidArgument for values that no host supports."""
    for name in ("cpu_period", "cpu_shares"):
        if getattr(resources, name) < 0:
            raise InvalidArgument(f"resources: {name} is negative")
    _check_cpu(resources)
    _check_memory(resources)
    if not -1000 <= resources.oom_score_adj <= 1000:
        raise InvalidArgument(f"resources: oom_score_adj {resources.oom_score_adj} is not between -1000 and 1000")
    for size, _ in resources.hugepage_limits:
        if not HUGE_PAGE_SIZE.fullmatch(size):
            raise InvalidArgument(f"resources: huge page size {size[:40]!r} is not a size such as 2MB or 1GB")
    for name in resources.unified:
        if not UNIFIED_NAME.fullmatch(name):
            raise InvalidArgument(f"resources: {name[:80]!r} is not the name of a controller's file")


def check_floor(resources: Resources, floor_bytes: int, runtime: str) -> None:
    """Raises InvalidArgument for a memory limit that is too small for `runtime` to start anything."""
    if 0 < resources.memory_limit_bytes < floor_bytes:
        raise InvalidArgument(
            f"resources: {runtime} cannot start a container in {resources.memory_limit_bytes} bytes of memory",
            hint=f"set a limit of at least {floor_bytes}",
        )


def _check_cpu(resources: Resources) -> None:
    period, quota = resources.cpu_period, resources.cpu_quota
    if period and not QUOTA_MIN_US <= period <= PERIOD_MAX_US:
        raise InvalidArgument(f"resources: cpu_period {period} is not between {QUOTA_MIN_US} and {PERIOD_MAX_US} us")
    if quota != UNLIMITED and quota and quota < QUOTA_MIN_US:
        raise InvalidArgument(f"resources: cpu_quota {quota} is less than {QUOTA_MIN_US} us", hint="-1 is no limit")
    for name in ("cpuset_cpus", "cpuset_mems"):
        value = getattr(resources, name)
        if value and not CPU_LIST.fullmatch(value):
            raise InvalidArgument(f"resources: {name} {value[:80]!r} is not a list such as 0-3,5")


def _check_memory(resources: Resources) -> None:
    limit, swap = resources.memory_limit_bytes, resources.memory_swap_limit_bytes
    for name, value in (("memory_limit", limit), ("memory_swap_limit", swap)):
        if value < UNLIMITED:
            raise InvalidArgument(f"resources: {name}_in_bytes {value} is negative", hint="-1 is no limit")
    if (swap and not limit) or (swap > 0 and limit == UNLIMITED):
        raise InvalidArgument("resources: memory_swap_limit_in_bytes needs memory_limit_in_bytes")
    if 0 < swap < limit:
        raise InvalidArgument(f"resources: the memory and swap limit {swap} is below the memory limit {limit}")


def _huge_pages(wanted: Resources, abilities: CgroupAbilities) -> tuple[tuple[str, int], ...]:
    if not abilities.huge_page_sizes:
        return ()
    for size, limit in wanted.hugepage_limits:
        if limit and size not in abilities.huge_page_sizes:
            known = ", ".join(sorted(abilities.huge_page_sizes))
            raise InvalidArgument(f"resources: this host has no huge pages of {size}", hint=f"it has {known}")
    return tuple((size, limit) for size, limit in wanted.hugepage_limits if size in abilities.huge_page_sizes)
