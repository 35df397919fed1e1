"""Converts thousandths of CPUs to the kernel's values, by the kubelet's arithmetic. Pure."""

from __future__ import annotations

SHARES_MIN = 2  # the kernel's bounds of cpu.shares (kernel/sched/sched.h)
SHARES_MAX = 262144
PERIOD_US = 100_000
QUOTA_MIN_US = 1000  # the kernel's least quota (kernel/sched/core.c)


def cpu_shares(milli_cpu: int) -> int:
    """The cpu.shares of cgroup v1 for a CPU request. No request gets the least shares."""
    return max(SHARES_MIN, min(SHARES_MAX, milli_cpu * 1024 // 1000))


def cpu_quota_us(milli_cpu: int, period_us: int = PERIOD_US) -> int:
    """Microseconds of CPU per period for a CPU limit. 0 means no limit."""
    return max(QUOTA_MIN_US, milli_cpu * period_us // 1000) if milli_cpu else 0


def cpu_weight(shares: int) -> int:
    """The cpu.weight of cgroup v2 for these shares."""
    return 1 + (min(shares, SHARES_MAX) - SHARES_MIN) * 9999 // (SHARES_MAX - SHARES_MIN)
