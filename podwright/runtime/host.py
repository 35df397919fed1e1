"""What this host and this process allow, found once at start."""

from __future__ import annotations

import os

from podwright.linux import capabilities, cgroup_lock
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.container.spec.builder import HostFacts
from podwright.runtime.container.spec.resources import CgroupAbilities

DISTRIBUTION_PROFILES = (
    "/etc/containers/seccomp.json",
    "/usr/share/containers/seccomp.json",
)


def host_facts(cgroups: CgroupHost) -> HostFacts:
    """The facts that container specs depend on."""
    held = capabilities.held_by_this_process()
    system = os.uname()
    return HostFacts(
        machine=system.machine,
        kernel=system.release,
        capabilities=held,
        cgroups=CgroupAbilities(
            swap=_has_swap_accounting(cgroups),
            hugetlb=cgroups.directory("/", "hugetlb") is not None,
            unified=cgroups.layout == "v2",
        ),
        oom_score_adj=-1000 if "CAP_SYS_RESOURCE" in held else _own_oom_score_adj(),
        seccomp=os.path.exists("/proc/sys/kernel/seccomp/actions_avail"),
        apparmor=_reads("/sys/module/apparmor/parameters/enabled") == "Y",
        selinux=os.path.exists("/sys/fs/selinux/enforce"),
    )


def own_procs_file(cgroups: CgroupHost) -> str | None:
    """See `linux.cgroup_lock`."""
    return cgroup_lock.own_procs_file(_reads("/proc/self/cgroup"), cgroups.unified, cgroups.controllers)


def default_profile_path(configured: str) -> str:
    """Where the default seccomp profile is: as configured, or the distribution's; empty when there is none."""
    if configured:
        return configured
    return next((path for path in DISTRIBUTION_PROFILES if os.path.exists(path)), "")


def _has_swap_accounting(cgroups: CgroupHost) -> bool:
    if cgroups.layout == "v2":
        return os.path.exists("/proc/swaps")
    directory = cgroups.directory("/", "memory")
    return directory is not None and os.path.exists(f"{directory}/memory.memsw.limit_in_bytes")


def _own_oom_score_adj() -> int:
    """Lower than what the process has, nothing can be set without CAP_SYS_RESOURCE."""
    return int(_reads("/proc/self/oom_score_adj") or 0)


def _reads(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
