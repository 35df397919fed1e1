"""Decides the order in which a pod's cgroup and its containers are resized, and reads a cgroup's limits. Pure.

A pod's cgroup grows before its containers do and shrinks after them. When it grows the limit comes first, and when it
shrinks the request does, so that no request exceeds its limit (doPodResizeAction of Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from podwright.agent.configs.cpu import SHARES_MAX, SHARES_MIN
from podwright.agent.resources.limits import CgroupLimits
from podwright.linux.cgroup import CgroupHost

UNLIMITED_BYTES = 1 << 62  # the kernel's number for no limit depends on the page size, but is above this

ReadText = Callable[[str], str]


class CgroupSteps(msgspec.Struct, frozen=True, kw_only=True):
    """The changes of the pod's cgroup before its containers are resized, and after."""

    before: tuple[CgroupLimits, ...] = ()
    after: tuple[CgroupLimits, ...] = ()


def cgroup_steps(current: CgroupLimits, wanted: CgroupLimits, resource: str) -> CgroupSteps:
    """The changes for `cpu` or `memory`. A value without a wanted limit is left as it is."""
    return _memory_steps(current, wanted) if resource == "memory" else _cpu_steps(current, wanted)


def memory_decrease(current: CgroupLimits, wanted: CgroupLimits) -> int | None:
    """The new memory limit of the pod if it is smaller than the present one, else None."""
    limit = wanted.memory_bytes
    return limit if limit and limit < (current.memory_bytes or math.inf) else None


def _memory_steps(current: CgroupLimits, wanted: CgroupLimits) -> CgroupSteps:
    if not wanted.memory_bytes or wanted.memory_bytes == current.memory_bytes:
        return CgroupSteps()
    step = CgroupLimits(memory_bytes=wanted.memory_bytes)
    if memory_decrease(current, wanted) is not None:
        return CgroupSteps(after=(step,))
    return CgroupSteps(before=(step,))


def _cpu_steps(current: CgroupLimits, wanted: CgroupLimits) -> CgroupSteps:
    before: list[CgroupLimits] = []
    after: list[CgroupLimits] = []
    shares, had = wanted.cpu_shares or SHARES_MIN, current.cpu_shares or SHARES_MIN
    if shares != had:
        (before if shares > had else after).append(CgroupLimits(cpu_shares=shares))
    if wanted.cpu_quota_us is not None:
        step = CgroupLimits(cpu_quota_us=wanted.cpu_quota_us, cpu_period_us=wanted.cpu_period_us)
        quota, has = _share_of_period(wanted), _share_of_period(current)
        if quota > has:
            before.insert(0, step)
        elif quota < has:
            after.append(step)
    return CgroupSteps(before=tuple(before), after=tuple(after))


def _share_of_period(limits: CgroupLimits) -> float:
    quota, period = limits.cpu_quota_us or 0, limits.cpu_period_us or 0
    return quota / period if quota > 0 and period > 0 else math.inf


def current_limits(read: ReadText, host: CgroupHost, path: str) -> CgroupLimits:
    """The CPU and memory limits of a cgroup in the kernel.

    `read` returns a file's text. Raises OSError and ValueError.
    """
    cpu, memory = host.directory(path, "cpu"), host.directory(path, "memory")
    shares, quota, period = (None, None, None) if cpu is None else _cpu(read, cpu, is_v1="cpu" in host.controllers)
    limit = None
    if memory is not None:
        name = "memory.limit_in_bytes" if "memory" in host.controllers else "memory.max"
        text = read(f"{memory}/{name}").strip()
        limit = None if text == "max" or int(text) >= UNLIMITED_BYTES else int(text)
    return CgroupLimits(memory_bytes=limit, cpu_shares=shares, cpu_quota_us=quota, cpu_period_us=period)


def _cpu(read: ReadText, directory: str, *, is_v1: bool) -> tuple[int, int, int]:
    if is_v1:
        shares, quota, period = (
            int(read(f"{directory}/{name}")) for name in ("cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us")
        )
        return shares, quota, period
    weight = int(read(f"{directory}/cpu.weight"))
    limit, period_text = read(f"{directory}/cpu.max").split()
    return shares_of(weight), -1 if limit == "max" else int(limit), int(period_text)


def shares_of(weight: int) -> int:
    """The shares for a cpu.weight of cgroup v2: the inverse of `configs.cpu.cpu_weight`, rounded down."""
    return (max(weight, 1) - 1) * (SHARES_MAX - SHARES_MIN) // 9999 + SHARES_MIN
