"""What this host and this process support, detected once at start."""

from __future__ import annotations

import glob
import os

from podwright.errors import FailedPrecondition
from podwright.linux import apparmor, capabilities, cgroup_lock, huge_pages, selinux
from podwright.linux.cgroup import CgroupHost
from podwright.process import find_executable
from podwright.runtime.oci_spec.builder import HostAbilities
from podwright.runtime.oci_spec.resources import CgroupAbilities

DISTRIBUTION_PROFILES = (
    "/etc/containers/seccomp.json",
    "/usr/share/containers/seccomp.json",
)


def host_facts(cgroups: CgroupHost) -> HostAbilities:
    """The facts that container specs depend on."""
    held = capabilities.held_by_this_process()
    system = os.uname()
    return HostAbilities(
        machine=system.machine,
        kernel=system.release,
        capabilities=held,
        cgroups=CgroupAbilities(
            swap=_has_swap_accounting(cgroups),
            huge_page_sizes=frozenset(huge_pages.sizes()) if cgroups.has("hugetlb") else frozenset(),
            unified=cgroups.layout == "v2",
        ),
        oom_score_adj=-1000 if "CAP_SYS_RESOURCE" in held else _own_oom_score_adj(),
        seccomp=os.path.exists("/proc/sys/kernel/seccomp/actions_avail"),
        apparmor=_has_apparmor(),
        selinux=selinux.contexts() if selinux.is_enabled() else None,
    )


def _has_apparmor() -> bool:
    """Whether the kernel has AppArmor enabled and a program can load profiles."""
    if not apparmor.is_enabled():
        return False
    try:
        find_executable("apparmor_parser")
    except FailedPrecondition:
        return False
    return True


def own_procs_file(cgroups: CgroupHost) -> str | None:
    """The cgroup.procs file for `linux.cgroup_lock`."""
    return cgroup_lock.own_procs_file(_reads("/proc/self/cgroup"), cgroups.unified, cgroups.controllers)


def default_profile_path(configured: str) -> str:
    """The path of the default seccomp profile: as configured, or the distribution's. Empty if there is none."""
    if configured:
        return configured
    return next((path for path in DISTRIBUTION_PROFILES if os.path.exists(path)), "")


def _has_swap_accounting(cgroups: CgroupHost) -> bool:
    root = cgroups.directory("/", "memory")
    if "memory" in cgroups.controllers:
        return os.path.exists(f"{root}/memory.memsw.limit_in_bytes")
    # With cgroup v2, every cgroup except the root has the file.
    return bool(glob.glob(f"{root}/memory.swap.max") or glob.glob(f"{root}/*/memory.swap.max"))


def _own_oom_score_adj() -> int:
    """The process's own value. Without CAP_SYS_RESOURCE it cannot set a lower one."""
    return int(_reads("/proc/self/oom_score_adj") or 0)


def _reads(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
