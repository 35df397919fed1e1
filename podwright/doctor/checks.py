"""What the doctor asks, in the order in which it reports. One line per check."""

from __future__ import annotations

from podwright.doctor.facts import Facts
from podwright.doctor.finding import Check, Finding
from podwright.doctor.judge import host, kernel, network, programs, security, storage

CHECKS = (
    Check(name="kernel.version", title="Kernel", judge=kernel.version),
    Check(name="kernel.overlay", title="Overlay mounts", judge=kernel.overlay),
    Check(name="kernel.mount_api", title="New mount API", judge=kernel.mount_api),
    Check(name="kernel.idmapped_mounts", title="ID-mapped mounts", judge=kernel.idmapped_mounts),
    Check(name="kernel.pidfd", title="Process descriptors", judge=kernel.pidfd),
    Check(name="kernel.openat2", title="Confined path lookup", judge=kernel.openat2),
    Check(name="kernel.namespaces", title="Namespaces", judge=kernel.namespaces),
    Check(name="kernel.cgroup_namespace", title="Cgroup namespaces", judge=kernel.cgroup_namespace),
    Check(name="kernel.user_namespaces", title="User namespaces", judge=kernel.user_namespaces),
    Check(name="kernel.seccomp", title="Seccomp actions", judge=kernel.seccomp),
    Check(name="cgroup.layout", title="Cgroup layout", judge=host.cgroup_layout),
    Check(name="cgroup.controllers", title="Cgroup controllers", judge=host.cgroup_controllers),
    Check(name="process.capabilities", title="Capabilities", judge=host.capabilities),
    Check(name="process.sys_resource", title="CAP_SYS_RESOURCE", judge=host.sys_resource),
    Check(name="host.dev_null", title="/dev/null", judge=host.dev_null),
    Check(name="process.user_namespace", title="User namespace of this process", judge=host.user_namespace),
    Check(name="runtime.oci", title="OCI runtimes", judge=programs.runtimes),
    Check(name="runtime.features", title="OCI runtime features", judge=programs.runtime_features),
    Check(name="runtime.crun_hybrid", title="crun and hybrid cgroups", judge=programs.crun_hybrid),
    Check(name="runtime.crun_oci_version", title="crun and spec versions", judge=programs.crun_oci_version),
    Check(name="runtime.crun_stdio", title="crun and standard streams", judge=programs.crun_stdio),
    Check(name="runtime.conmon", title="conmon", judge=programs.conmon),
    Check(name="runtime.criu", title="CRIU", judge=programs.criu),
    Check(name="network.cni", title="CNI", judge=network.cni),
    Check(name="network.links", title="Bridge and veth", judge=network.links),
    Check(name="network.packet_filter", title="Packet filter", judge=network.packet_filter),
    Check(name="network.forwarding", title="IP forwarding", judge=network.forwarding),
    Check(name="security.seccomp_profile", title="Default seccomp profile", judge=security.seccomp_profile),
    Check(name="security.apparmor", title="AppArmor", judge=security.apparmor),
    Check(name="security.selinux", title="SELinux", judge=security.selinux),
    Check(name="storage.disk", title="Disk space", judge=storage.disk),
    Check(name="limits.open_files", title="Open files", judge=storage.open_files),
    Check(name="limits.inotify", title="File watchers", judge=storage.inotify),
    Check(name="time.clock", title="Clock", judge=storage.clock),
)


def judge_all(facts: Facts) -> list[tuple[Check, Finding]]:
    """Every check with its finding. Pure."""
    return [(check, check.judge(facts)) for check in CHECKS]
