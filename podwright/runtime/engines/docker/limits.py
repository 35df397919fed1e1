"""Resource limits as fields of the Engine's HostConfig. Pure."""

from __future__ import annotations

from typing import Any

from podwright.runtime.model.base import Resources


def fields(limits: Resources, *, new: bool = False) -> dict[str, Any]:
    """The fields for granted limits. Those that are not set are left out, and with `new` those that are unlimited."""
    wanted = {
        "CpuShares": limits.cpu_shares,
        "CpuPeriod": limits.cpu_period,
        "CpuQuota": limits.cpu_quota,
        "CpusetCpus": limits.cpuset_cpus,
        "CpusetMems": limits.cpuset_mems,
        "Memory": limits.memory_limit_bytes,
        "MemorySwap": limits.memory_swap_limit_bytes,
    }
    return {name: value for name, value in wanted.items() if value and not (new and value == -1)}
