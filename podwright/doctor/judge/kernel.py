"""Judges the kernel's features. Pure."""

from __future__ import annotations

from podwright.doctor.facts import Facts
from podwright.doctor.finding import Finding, missing, note, ok, warning

OLDEST_KERNEL = (5, 4)
OVERLAY_IDMAP_KERNEL = (5, 19)
NEEDED_NAMESPACES = frozenset({"mnt", "pid", "net", "ipc", "uts"})
SECCOMP_DEFAULT_ACTIONS = frozenset({"allow", "errno"})
NEWER_KERNEL = "install a newer kernel"


def version(facts: Facts) -> Finding:
    """Pidfds came with 5.3, and waiting for them with 5.4."""
    kernel = facts.kernel
    if kernel.numbers and kernel.numbers < OLDEST_KERNEL:
        return missing(kernel.release, cost="Podwright needs Linux 5.4 or newer", remedy=NEWER_KERNEL)
    return ok(kernel.release)


def overlay(facts: Facts) -> Finding:
    """The overlay was tested under the root, because some filesystems cannot hold an overlay's upper directory."""
    if error := facts.kernel.overlay_error:
        return missing(
            f"an overlay mount under {facts.storage.root} fails: {error}",
            cost="no container can start",
            remedy="modprobe overlay; if it is loaded, put `root` on ext4, xfs or btrfs",
        )
    return ok("works under the root directory")


def mount_api(facts: Facts) -> Finding:
    """fsopen and related calls, kernel 5.2."""
    if facts.kernel.new_mount_api:
        return ok("available")
    return note("not available", cost="images with very many layers cannot be mounted", remedy=NEWER_KERNEL)


def pidfd(facts: Facts) -> Finding:
    """pidfd_open, kernel 5.3."""
    if facts.kernel.pidfd:
        return ok("available")
    return missing("not available", cost="processes cannot be watched safely", remedy=NEWER_KERNEL)


def openat2(facts: Facts) -> Finding:
    """openat2, kernel 5.6. A seccomp filter around this process may forbid it as well."""
    if facts.kernel.openat2:
        return ok("available")
    return missing(
        "not available", cost="paths inside images cannot be resolved safely, so no image can be used",
        remedy=f"{NEWER_KERNEL} (5.6), or allow openat2 in the seccomp profile around this process",
    )  # fmt: skip


def namespaces(facts: Facts) -> Finding:
    """The namespaces that every pod needs."""
    if lacking := NEEDED_NAMESPACES - facts.kernel.namespaces:
        return missing(
            f"the kernel lacks {', '.join(sorted(lacking))}",
            cost="pods cannot be isolated",
            remedy="boot a kernel with these namespaces",
        )
    return ok(", ".join(sorted(facts.kernel.namespaces)))


def cgroup_namespace(facts: Facts) -> Finding:
    """Since kernel 4.6, but optional in its configuration."""
    if "cgroup" in facts.kernel.namespaces:
        return ok("available")
    return note("not available", cost="containers see the host's cgroup paths")


def user_namespaces(facts: Facts) -> Finding:
    """Needed for pods with `hostUsers: false`."""
    if "user" not in facts.kernel.namespaces:
        return note("the kernel has none", cost="pods with hostUsers: false are refused")
    if facts.kernel.max_user_namespaces == 0:
        return note(
            "forbidden by user.max_user_namespaces = 0",
            cost="pods with hostUsers: false are refused",
            remedy="sysctl -w user.max_user_namespaces=15000",
        )
    return ok(f"available, up to {facts.kernel.max_user_namespaces}")


def idmapped_mounts(facts: Facts) -> Finding:
    """mount_setattr with an idmap, kernel 5.12. overlayfs supports such layers since 5.19."""
    if not facts.kernel.idmapped_mounts:
        return note("not available", cost="volumes cannot be used by pods with hostUsers: false", remedy=NEWER_KERNEL)
    if facts.kernel.numbers and facts.kernel.numbers < OVERLAY_IDMAP_KERNEL:
        return note(
            "available, but not below overlay mounts (5.19)",
            cost="images are copied for pods with hostUsers: false",
            remedy=NEWER_KERNEL,
        )
    return ok("available")


def seccomp(facts: Facts) -> Finding:
    """Seccomp filters, and the actions of the usual profiles."""
    actions = facts.kernel.seccomp_actions
    if not actions >= SECCOMP_DEFAULT_ACTIONS:
        return warning(
            "the kernel has no seccomp filters", cost="pods that ask for a seccomp profile are refused",
            remedy="boot a kernel with CONFIG_SECCOMP_FILTER",
        )  # fmt: skip
    return ok(", ".join(sorted(actions)))
