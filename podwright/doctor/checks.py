"""The doctor's checks, in the order of the report. One line per check."""

from __future__ import annotations

from podwright.doctor.facts import Facts
from podwright.doctor.finding import DoctorCheck, Finding
from podwright.doctor.judge import docker, host, kernel, network, programs, sandboxes, security, storage

CHECKS = (
    DoctorCheck(name="kernel.version", title="Kernel", judge=kernel.version),
    DoctorCheck(name="kernel.overlay", title="Overlay mounts", judge=kernel.overlay),
    DoctorCheck(name="kernel.mount_api", title="New mount API", judge=kernel.mount_api),
    DoctorCheck(name="kernel.idmapped_mounts", title="ID-mapped mounts", judge=kernel.idmapped_mounts),
    DoctorCheck(name="kernel.pidfd", title="Process descriptors", judge=kernel.pidfd),
    DoctorCheck(name="kernel.openat2", title="Confined path lookup", judge=kernel.openat2),
    DoctorCheck(name="kernel.namespaces", title="Namespaces", judge=kernel.namespaces),
    DoctorCheck(name="kernel.cgroup_namespace", title="Cgroup namespaces", judge=kernel.cgroup_namespace),
    DoctorCheck(name="kernel.user_namespaces", title="User namespaces", judge=kernel.user_namespaces),
    DoctorCheck(name="kernel.seccomp", title="Seccomp actions", judge=kernel.seccomp),
    DoctorCheck(name="cgroup.layout", title="Cgroup layout", judge=host.cgroup_layout),
    DoctorCheck(name="cgroup.controllers", title="Cgroup controllers", judge=host.cgroup_controllers),
    DoctorCheck(name="process.capabilities", title="Capabilities", judge=host.capabilities),
    DoctorCheck(name="process.sys_resource", title="CAP_SYS_RESOURCE", judge=host.sys_resource),
    DoctorCheck(name="host.dev_null", title="/dev/null", judge=host.dev_null),
    DoctorCheck(name="process.user_namespace", title="User namespace of this process", judge=host.user_namespace),
    DoctorCheck(name="runtime.oci", title="OCI runtimes", judge=programs.runtimes),
    DoctorCheck(name="runtime.features", title="OCI runtime features", judge=programs.runtime_features),
    DoctorCheck(name="runtime.crun_hybrid", title="crun and hybrid cgroups", judge=programs.crun_hybrid),
    DoctorCheck(name="runtime.crun_oci_version", title="crun and spec versions", judge=programs.crun_oci_version),
    DoctorCheck(name="runtime.crun_stdio", title="crun and standard streams", judge=programs.crun_stdio),
    DoctorCheck(name="runtime.conmon", title="conmon", judge=programs.conmon),
    DoctorCheck(name="runtime.docker", title="Docker Engine", judge=docker.engine),
    DoctorCheck(name="runtime.criu", title="CRIU", judge=programs.criu),
    DoctorCheck(name="runtime.gvisor", title="gVisor", judge=sandboxes.gvisor),
    DoctorCheck(name="runtime.shims", title="containerd shims", judge=sandboxes.shims),
    DoctorCheck(name="network.cni", title="CNI", judge=network.cni),
    DoctorCheck(name="network.links", title="Bridge and veth", judge=network.links),
    DoctorCheck(name="network.packet_filter", title="Packet filter", judge=network.packet_filter),
    DoctorCheck(name="network.forwarding", title="IP forwarding", judge=network.forwarding),
    DoctorCheck(name="security.seccomp_profile", title="Default seccomp profile", judge=security.seccomp_profile),
    DoctorCheck(name="security.apparmor", title="AppArmor", judge=security.apparmor),
    DoctorCheck(name="security.selinux", title="SELinux", judge=security.selinux),
    DoctorCheck(name="storage.disk", title="Disk space", judge=storage.disk),
    DoctorCheck(name="storage.images", title="Disk space of images", judge=storage.image_disk),
    DoctorCheck(name="limits.open_files", title="Open files", judge=storage.open_files),
    DoctorCheck(name="limits.inotify", title="File watchers", judge=storage.inotify),
    DoctorCheck(name="time.clock", title="Clock", judge=storage.clock),
)


def judge_all(facts: Facts) -> list[tuple[DoctorCheck, Finding]]:
    """Every check with its finding. Pure."""
    return [(check, check.judge(facts)) for check in CHECKS]
