"""Makes the commands of systemctl for cgroups that are slices. Pure.

A slice needs no unit file: `start` makes it, and `set-property --runtime` limits it by drop-ins below /run. Limits
that systemd lacks (huge pages) are written to the cgroup's files.
"""

from __future__ import annotations

from podwright.agent.configs.cpu import PERIOD_US, cpu_weight
from podwright.agent.resources.limits import CgroupLimits

CONTROL = "/run/systemd/system.control"
# Without this, systemd stops a slice and its containers as soon as the machine begins to shut down (systemd.slice(5)).
# `set-property` cannot set it, and systemd reads it when it loads the slice. Kubelets set it, too.
DEPENDENCIES = ("50-DefaultDependencies.conf", "[Unit]\nDefaultDependencies=no\n")


def slice_of(path: str) -> str:
    """The slice whose cgroup is at the path."""
    return path.rpartition("/")[2]


def make_commands(path: str, limits: CgroupLimits, *, is_v2: bool) -> tuple[tuple[str, ...], ...]:
    """The commands that set the limits of a slice and start it."""
    name = slice_of(path)
    accounting = ("CPU", "Memory", "Tasks", "IO" if is_v2 else "BlockIO")
    settings = (*(f"{what}Accounting=yes" for what in accounting), *properties(limits, is_v2=is_v2))
    return ("systemctl", "set-property", "--runtime", name, *settings), ("systemctl", "start", name)


def update_commands(path: str, limits: CgroupLimits, *, is_v2: bool) -> tuple[tuple[str, ...], ...]:
    """The commands that change the limits of an existing slice."""
    settings = properties(limits, is_v2=is_v2)
    return (("systemctl", "set-property", "--runtime", slice_of(path), *settings),) if settings else ()


def stop_commands(path: str) -> tuple[tuple[str, ...], ...]:
    """The commands that stop the slice and everything in it."""
    return (("systemctl", "stop", slice_of(path)),)


def drop_ins(path: str, control: str = CONTROL) -> str:
    """The directory of the slice's settings (systemd.unit(5)), to remove after its stop.

    `systemctl revert` removes it too, but makes systemd read all units of the machine again. With `--no-reload`
    systemd from then on reports every unit as changed on disk.
    """
    return f"{control}/{slice_of(path)}.d"


def properties(limits: CgroupLimits, *, is_v2: bool) -> tuple[str, ...]:
    """The limits as settings of systemd.resource-control(5)."""
    found = []
    if limits.cpu_shares is not None:
        shares = limits.cpu_shares
        found.append(f"CPUWeight={cpu_weight(shares)}" if is_v2 else f"CPUShares={shares}")
    if limits.cpu_quota_us is not None:
        period = limits.cpu_period_us or PERIOD_US
        found.append(f"CPUQuotaPeriodSec={period}us")
        # Whole percents, rounded up, so that containers can use all that the pod has. Empty means no limit.
        percent = -(-limits.cpu_quota_us * 100 // period)
        found.append(f"CPUQuota={percent}%" if limits.cpu_quota_us > 0 else "CPUQuota=")
    if limits.memory_bytes:
        found.append(f"{'MemoryMax' if is_v2 else 'MemoryLimit'}={limits.memory_bytes}")
    for name, kept in (("MemoryMin", limits.memory_min_bytes), ("MemoryLow", limits.memory_low_bytes)):
        if kept is not None and is_v2:
            found.append(f"{name}={kept}")
    if limits.pids is not None:
        found.append(f"TasksMax={limits.pids if limits.pids > 0 else 'infinity'}")
    if limits.cpus is not None and is_v2:
        found.append(f"AllowedCPUs={limits.cpus}")
    return tuple(found)


def rounded(limits: CgroupLimits) -> int | None:
    """The CPU quota that systemd sets for these limits, in microseconds of a period."""
    quota, period = limits.cpu_quota_us, limits.cpu_period_us or PERIOD_US
    if quota is None or quota <= 0:
        return quota
    return -(-quota * 100 // period) * period // 100
