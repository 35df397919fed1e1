"""Judges the permissions of this process, and cgroups. Pure."""

from __future__ import annotations

from podwright.doctor.facts import Facts
from podwright.doctor.finding import Finding, missing, note, ok, warning

# Without these nothing starts. The value is the purpose of each.
NEEDED_CAPABILITIES = {
    "CAP_SYS_ADMIN": "mounts and namespaces",
    "CAP_NET_ADMIN": "pod networks",
    "CAP_CHOWN": "unpacking images",
    "CAP_DAC_OVERRIDE": "unpacking images",
    "CAP_FOWNER": "unpacking images",
    "CAP_MKNOD": "device nodes in images and whiteouts",
    "CAP_SETUID": "containers' users",
    "CAP_SETGID": "containers' groups",
    "CAP_SETPCAP": "containers' capabilities",
    "CAP_SYS_CHROOT": "containers' roots",
    "CAP_KILL": "stopping containers",
}
NEEDED_CONTROLLERS = {"cpu": "CPU limits", "memory": "memory limits and OOM detection", "pids": "process limits"}
GOOD_CONTROLLERS = {"cpuset": "CPU pinning", "hugetlb": "huge page limits", "io": "I/O statistics and limits"}


def dev_null(facts: Facts) -> Finding:
    """/dev/null must belong to root and be open to all.

    Some runtimes change that when they pass it to a container's user.
    """
    uid, gid, mode = facts.host.dev_null
    if (uid, gid, mode) == (0, 0, 0o666):
        return ok("root's, and open to all")
    cost = "programs of other users fail" if mode & 0o666 != 0o666 else "its owner may close it to all others"
    return warning(
        f"it belongs to {uid}:{gid} and has mode {mode:04o}",
        cost=cost,
        remedy="chown root:root /dev/null; chmod 666 /dev/null",
    )


def capabilities(facts: Facts) -> Finding:
    """Capabilities of this process, which a daemon started from here would also have."""
    held = facts.host.capabilities
    if lacking := [name for name in NEEDED_CAPABILITIES if name not in held]:
        costs = dict.fromkeys(NEEDED_CAPABILITIES[name] for name in lacking)
        remedy = (
            "run as root" if facts.host.uid else "start it with these capabilities (outside an unprivileged container)"
        )
        return missing(
            f"without {', '.join(lacking)}", cost=f"the daemon cannot do this: {', '.join(costs)}", remedy=remedy
        )
    return ok(f"{len(held)} held, all that are necessary among them")


def sys_resource(facts: Facts) -> Finding:
    """Small VMs and containers often lack CAP_SYS_RESOURCE. Without it everything works, with clamped values."""
    if "CAP_SYS_RESOURCE" in facts.host.capabilities:
        return ok("held")
    return warning(
        "not held",
        cost="lowering oom_score_adj and raising rlimits of containers is clamped to the daemon's own values, so that "
        "the kernel may choose an important pod when memory ends",
        remedy="start the daemon with CAP_SYS_RESOURCE",
    )


def user_namespace(facts: Facts) -> Finding:
    """Running inside a user namespace is not supported."""
    if facts.host.in_user_namespace:
        return warning(
            "this process is in a user namespace",
            cost="device nodes, some mounts and cgroups fail",
            remedy="run in the initial user namespace",
        )
    return ok("initial user namespace")


def cgroup_layout(facts: Facts) -> Finding:
    """v2 is the normal layout. v1 and hybrid work."""
    cgroups = facts.cgroups
    manager = "systemd" if facts.host.has_systemd else "no systemd"
    if cgroups.layout == "none":
        return missing(
            "no cgroup hierarchy is mounted",
            cost="containers can be neither limited nor killed reliably",
            remedy="mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        )
    if not cgroups.writable:
        return missing(
            f"{cgroups.layout}, mounted read-only",
            cost="no container can start",
            remedy="mount -o remount,rw /sys/fs/cgroup (in a container: run it privileged)",
        )
    if cgroups.layout == "v2":
        return ok(f"v2, {manager}")
    return note(
        f"{cgroups.layout}, {manager}",
        cost="no pressure statistics per pod, no killing of a cgroup at once; kubelets and crun are dropping v1",
        remedy="boot with systemd.unified_cgroup_hierarchy=1" if facts.host.has_systemd else "mount only cgroup2",
    )


def cgroup_controllers(facts: Facts) -> Finding:
    """The controllers that limits need. v1's blkio is v2's io."""
    held = {"io" if name == "blkio" else name for name in facts.cgroups.controllers}
    shown = ", ".join(sorted(facts.cgroups.controllers)) or "none"
    if lacking := [name for name in NEEDED_CONTROLLERS if name not in held]:
        return warning(
            f"{shown}; without {', '.join(lacking)}",
            cost=f"no {', no '.join(NEEDED_CONTROLLERS[name] for name in lacking)}",
            remedy=_enable_controllers(facts, lacking),
        )
    if lacking := [name for name in GOOD_CONTROLLERS if name not in held]:
        return note(
            f"{shown}; without {', '.join(lacking)}",
            cost=f"no {', no '.join(GOOD_CONTROLLERS[name] for name in lacking)}",
            remedy=_enable_controllers(facts, lacking),
        )
    return ok(shown)


def _enable_controllers(facts: Facts, names: list[str]) -> str:
    if facts.cgroups.layout == "v2":
        words = " ".join(f"+{name}" for name in names)
        return f"echo '{words}' > /sys/fs/cgroup/cgroup.subtree_control, or boot with cgroup_enable={','.join(names)}"
    name = "blkio" if names[0] == "io" else names[0]
    return f"mkdir -p /sys/fs/cgroup/{name} && mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}"
