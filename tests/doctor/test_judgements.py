"""What the doctor says about machines that we are not on: facts in, levels out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from podwright.doctor.checks import CHECKS, judge_all
from podwright.doctor.facts import (
    CgroupFacts,
    DockerFacts,
    Facts,
    KernelFacts,
    LimitFacts,
    NetworkFacts,
    OciFeatures,
    OciRuntimeFacts,
    ProgramFacts,
    SandboxFacts,
    SecurityFacts,
    StorageFacts,
    SystemFacts,
)
from podwright.doctor.finding import Finding
from podwright.doctor.report import is_ready
from podwright.linux.capabilities import NAMES

GIB = 1024**3
ALL_CAPABILITIES = frozenset(NAMES)
NAMESPACES = frozenset({"mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"})
MODERN_FEATURES = OciFeatures(
    oci_version_max="1.3.0", seccomp=True, apparmor=True, selinux=True, idmapped_mounts=True, recursive_read_only=True
)
NFT = ProgramFacts(path="/usr/sbin/nft", version="1.1.3", numbers=(1, 1, 3))
IPTABLES = ProgramFacts(path="/usr/sbin/iptables", version="1.8.11", numbers=(1, 8, 11))


def runtime(name: str, *numbers: int, features: OciFeatures | None = MODERN_FEATURES) -> OciRuntimeFacts:
    version = ".".join(map(str, numbers))
    return OciRuntimeFacts(
        name=name, program=ProgramFacts(path=f"/usr/bin/{name}", version=version, numbers=numbers), features=features
    )


def runsc(version: str = "0.0~20221219.0") -> OciRuntimeFacts:
    return OciRuntimeFacts(name="runsc", program=ProgramFacts(path="/usr/bin/runsc", version=version))


ALIKE = SandboxFacts(has_kvm=True, namespaces_look_like_the_hosts=True)

# A cgroup v2 host with systemd and everything installed: all is well there.
GOOD = Facts(
    host=SystemFacts(distribution=frozenset({"debian"}), has_systemd=True, capabilities=ALL_CAPABILITIES),
    kernel=KernelFacts(
        release="6.12.9",
        numbers=(6, 12, 9),
        namespaces=NAMESPACES,
        max_user_namespaces=15000,
        seccomp_actions=frozenset({"allow", "errno", "kill_process", "user_notif"}),
    ),
    cgroups=CgroupFacts(layout="v2", controllers=frozenset({"cpu", "cpuset", "io", "memory", "pids", "hugetlb"})),
    runtimes=(runtime("crun", 1, 24), runtime("runc", 1, 3, 0)),
    conmon=ProgramFacts(path="/usr/bin/conmon", version="2.1.12", numbers=(2, 1, 12)),
    criu=ProgramFacts(path="/usr/sbin/criu", version="4.0", numbers=(4, 0)),
    network=NetworkFacts(conf_dir="/etc/cni/net.d", bin_dirs=("/opt/cni/bin",), nft=NFT, iptables=IPTABLES),
    security=SecurityFacts(
        seccomp_profile="/usr/share/containers/seccomp.json", apparmor=True, apparmor_parser=True, selinux=True
    ),
    storage=StorageFacts(
        root="/var/lib",
        filesystem="ext4",
        free_bytes=50 * GIB,
        total_bytes=100 * GIB,
        free_inodes=90,
        total_inodes=100,
    ),
    limits=LimitFacts(
        nofile_soft=1024, nofile_hard=1048576, inotify_instances=8192, time_s=1.8e9, clock_synchronised=True
    ),
)


def but(**changes: Any) -> Facts:
    """GOOD with other values: `kernel__pidfd=False` changes one field of one section."""
    facts = GOOD
    for path, value in changes.items():
        section, _, field = path.partition("__")
        changed = msgspec.structs.replace(getattr(facts, section), **{field: value}) if field else value
        facts = msgspec.structs.replace(facts, **{section: changed})
    return facts


def judged(facts: Facts, name: str) -> Finding:
    return next(check.judge(facts) for check in CHECKS if check.name == name)


def test_a_good_machine_is_good() -> None:
    assert {check.name: finding for check, finding in judge_all(GOOD) if finding.level != "ok"} == {}


def test_names_are_unique() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_a_machine_about_which_nothing_is_known_is_judged_without_falling_over() -> None:
    assert not is_ready(judge_all(Facts()))


DOCKER = DockerFacts(socket="/d", version="20.10.24", api=(1, 41), storage="overlay2", live_restore=True)


def test_an_engine_of_docker_needs_no_runtime_of_ours() -> None:
    facts = but(docker=DOCKER, runtimes=(), conmon=None)
    assert [judged(facts, f"runtime.{name}").level for name in ("docker", "oci", "conmon")] == ["ok"] * 3


CASES = [
    ("runtime.docker", but(docker=msgspec.structs.replace(DOCKER, error="refused")), "missing", "start dockerd"),
    ("runtime.docker", but(docker=msgspec.structs.replace(DOCKER, api=(1, 40))), "missing", "20.10"),
    ("runtime.docker", but(docker=msgspec.structs.replace(DOCKER, live_restore=False)), "warning", "live-restore"),
    ("kernel.version", but(kernel__numbers=(4, 19)), "missing", "newer kernel"),
    ("kernel.overlay", but(kernel__overlay_error="Invalid argument"), "missing", "modprobe overlay"),
    ("kernel.mount_api", but(kernel__new_mount_api=False), "note", "newer kernel"),
    ("kernel.pidfd", but(kernel__pidfd=False), "missing", "newer kernel"),
    ("kernel.openat2", but(kernel__openat2=False), "missing", "openat2"),
    ("kernel.namespaces", but(kernel__namespaces=frozenset({"mnt", "pid", "ipc", "uts"})), "missing", "namespaces"),
    ("kernel.cgroup_namespace", but(kernel__namespaces=NAMESPACES - {"cgroup"}), "note", ""),
    ("kernel.user_namespaces", but(kernel__namespaces=NAMESPACES - {"user"}), "note", ""),
    ("kernel.user_namespaces", but(kernel__max_user_namespaces=0), "note", "sysctl -w user.max_user_namespaces"),
    ("kernel.idmapped_mounts", but(kernel__idmapped_mounts=False), "note", "newer kernel"),
    ("kernel.idmapped_mounts", but(kernel__numbers=(5, 15)), "note", "newer kernel"),
    ("kernel.seccomp", but(kernel__seccomp_actions=frozenset()), "warning", "CONFIG_SECCOMP_FILTER"),
    ("cgroup.layout", but(cgroups__layout="none"), "missing", "mount -t cgroup2"),
    ("cgroup.layout", but(cgroups__writable=False), "missing", "remount,rw"),
    ("cgroup.layout", but(cgroups__layout="v1"), "note", "systemd.unified_cgroup_hierarchy=1"),
    ("cgroup.layout", but(cgroups__layout="hybrid", host__has_systemd=False), "note", "cgroup2"),
    ("cgroup.controllers", but(cgroups__controllers=frozenset({"cpu", "pids"})), "warning", "cgroup.subtree_control"),
    (
        "cgroup.controllers",
        but(cgroups__layout="hybrid", cgroups__controllers=frozenset({"cpu", "pids", "memory", "cpuset", "hugetlb"})),
        "note",
        "mount -t cgroup -o blkio cgroup /sys/fs/cgroup/blkio",
    ),
    ("process.capabilities", but(host__capabilities=frozenset(), host__uid=1000), "missing", "run as root"),
    ("process.capabilities", but(host__capabilities=ALL_CAPABILITIES - {"CAP_MKNOD"}), "missing", "capabilities"),
    (
        "process.sys_resource",
        but(host__capabilities=ALL_CAPABILITIES - {"CAP_SYS_RESOURCE"}),
        "warning",
        "CAP_SYS_RESOURCE",
    ),
    ("process.user_namespace", but(host__in_user_namespace=True), "warning", "initial user namespace"),
    ("runtime.oci", but(runtimes=()), "missing", "apt install crun"),
    (
        "runtime.oci",
        but(runtimes=(), host__distribution=frozenset({"fedora"})),
        "missing",
        "dnf install crun",
    ),
    (
        "runtime.oci",
        but(runtimes=(), host__distribution=frozenset({"arch"})),
        "missing",
        "package manager",
    ),
    (
        "runtime.oci",
        but(
            runtimes=(runtime("runc", 1, 3), OciRuntimeFacts(name="x", program=ProgramFacts(path="/x", error="gone")))
        ),
        "warning",
        "reinstall",
    ),
    (
        "runtime.oci",
        but(runtimes=(OciRuntimeFacts(name="x", program=ProgramFacts(path="/x", error="gone")),)),
        "missing",
        "reinstall it if need be: /x --version",
    ),
    ("runtime.features", but(runtimes=(runtime("crun", 1, 8, 1, features=None),)), "note", "1.8.6"),
    (
        "runtime.crun_hybrid",
        but(cgroups__layout="hybrid", cgroups__unified_controllers=frozenset({"hugetlb"})),
        "warning",
        "mkdir -p /sys/fs/cgroup/hugetlb && mount -t cgroup -o hugetlb cgroup /sys/fs/cgroup/hugetlb",
    ),
    (
        "runtime.crun_hybrid",
        but(
            cgroups__layout="hybrid",
            cgroups__unified_controllers=frozenset({"hugetlb"}),
            runtimes=(runtime("crun", 1, 8, 1),),
        ),
        "missing",
        "mount -t cgroup -o hugetlb",
    ),
    (
        "runtime.crun_hybrid",
        but(
            cgroups__layout="hybrid",
            cgroups__unified_controllers=frozenset({"hugetlb"}),
            runtimes=(runtime("runc", 1, 3),),
        ),
        "ok",
        "",
    ),
    ("runtime.crun_hybrid", but(cgroups__unified_controllers=frozenset({"memory"})), "ok", ""),
    ("runtime.crun_oci_version", but(runtimes=(runtime("crun", 1, 8, 1),)), "note", ""),
    ("runtime.crun_oci_version", but(runtimes=(runtime("crun", 1, 14, 2),)), "ok", ""),
    ("runtime.crun_oci_version", but(runtimes=()), "ok", ""),
    ("runtime.crun_stdio", but(runtimes=(runtime("crun", 1, 8, 1),)), "note", "1.24"),
    ("runtime.crun_stdio", but(runtimes=(runtime("crun", 1, 23, 1),)), "note", "1.24"),
    ("runtime.crun_stdio", but(runtimes=(runtime("crun", 1, 24),)), "ok", ""),
    ("runtime.crun_stdio", but(runtimes=(runtime("crun", 1, 2),)), "ok", ""),
    ("runtime.crun_stdio", but(runtimes=(runtime("runc", 1, 1, 5),)), "ok", ""),
    ("host.dev_null", but(host__dev_null=(100000, 100000, 0o666)), "warning", "chown root:root /dev/null"),
    ("host.dev_null", but(host__dev_null=(0, 0, 0o600)), "warning", "chmod 666 /dev/null"),
    ("runtime.conmon", but(conmon=None), "missing", "apt install conmon"),
    ("runtime.conmon", but(conmon=ProgramFacts(path="/c", error="no such library")), "missing", "reinstall"),
    ("runtime.conmon", but(conmon=ProgramFacts(path="/c", version="1.0", numbers=(1, 0))), "warning", "conmon"),
    ("runtime.criu", but(criu=None), "note", "apt install criu"),
    ("runtime.gvisor", but(), "ok", ""),
    ("runtime.gvisor", but(runtimes=(runsc(),)), "note", "enable KVM"),
    ("runtime.gvisor", but(runtimes=(runsc(),), sandboxes=SandboxFacts(has_kvm=True)), "ok", ""),
    ("runtime.gvisor", but(runtimes=(runsc(),), sandboxes=ALIKE), "warning", "--network=host"),
    ("runtime.gvisor", but(runtimes=(runsc("release-20250101.0"),), sandboxes=ALIKE), "ok", ""),
    ("runtime.shims", but(), "ok", ""),
    ("runtime.shims", but(sandboxes=SandboxFacts(shims=("runc-v2",))), "ok", ""),
    ("runtime.shims", but(sandboxes=SandboxFacts(shims=("kata-v2", "runc-v2"))), "warning", "KVM"),
    ("runtime.criu", but(criu=ProgramFacts(path="/c", error="did not end within 10 s")), "note", "/c --version"),
    ("network.cni", but(network__mode="bridge", network__config_error="x", network__config="y"), "ok", ""),
    ("network.cni", but(network__mode="cni"), "missing", "/etc/cni/net.d"),
    ("network.cni", but(network__config="/a.conflist", network__plugins=("bridge",)), "ok", ""),
    ("network.cni", but(network__config="/a.conflist", network__config_error="bad"), "missing", "fix"),
    (
        "network.cni",
        but(network__config="/a.conflist", network__plugins=("bridge",), network__plugins_missing=("bridge",)),
        "missing",
        "apt install containernetworking-plugins",
    ),
    ("network.links", but(network__link_errors={"veth": "Operation not supported"}), "missing", "modprobe veth"),
    (
        "network.links",
        but(network__link_errors={"veth": "x"}, network__config="/a", network__plugins=("cilium-cni",)),
        "note",
        "modprobe veth",
    ),
    ("network.packet_filter", but(network__nft=None, network__iptables=None), "warning", "apt install nftables"),
    ("network.packet_filter", but(network__nft=None), "ok", ""),
    ("network.packet_filter", but(network__nft_error="Operation not permitted"), "warning", "nf_tables"),
    (
        "network.packet_filter",
        but(network__config="/a", network__plugins=("bridge", "portmap"), network__iptables=None),
        "warning",
        "apt install iptables",
    ),
    ("network.forwarding", but(network__ip_forward=False), "note", "sysctl -w net.ipv4.ip_forward=1"),
    (
        "security.seccomp_profile",
        but(security__seccomp_profile=""),
        "warning",
        "apt install golang-github-containers-common",
    ),
    ("security.seccomp_profile", but(security__seccomp_error="not JSON"), "missing", "seccomp_profile"),
    ("security.apparmor", but(security__apparmor=False), "note", ""),
    ("security.apparmor", but(security__apparmor_parser=False), "warning", "apt install apparmor"),
    ("security.selinux", but(security__selinux=False), "note", ""),
    ("storage.disk", but(storage__writable=False), "missing", "root"),
    ("storage.disk", but(storage__free_bytes=1024), "missing", "make room"),
    ("storage.disk", but(storage__free_bytes=5 * GIB), "warning", "make room"),
    ("storage.disk", but(storage__free_inodes=1), "warning", "make room"),
    ("storage.images", GOOD, "ok", ""),
    (
        "storage.images",
        but(images=StorageFacts(root="/i", free_bytes=1024, total_bytes=GIB)),
        "missing",
        "images.store",
    ),
    ("limits.open_files", but(limits__nofile_hard=4096), "warning", "ulimit"),
    ("limits.inotify", but(limits__inotify_instances=128), "note", "sysctl"),
    ("time.clock", but(limits__time_s=0.0), "warning", "date -s"),
    ("time.clock", but(limits__clock_synchronised=False), "note", "NTP"),
    ("time.clock", but(limits__clock_synchronised=None), "ok", ""),
]


@pytest.mark.parametrize(
    ("name", "facts", "level", "remedy"),
    CASES,
    ids=[f"{name}-{level}-{n}" for n, (name, _, level, _) in enumerate(CASES)],
)
def test_judgements(name: str, facts: Facts, level: str, remedy: str) -> None:
    finding = judged(facts, name)
    assert finding.level == level
    assert remedy in finding.remedy
    assert bool(finding.cost) == (level != "ok")
    if level in ("warning", "missing"):
        assert finding.remedy


@pytest.mark.parametrize("check", ["crun_hybrid", "crun_oci_version", "crun_stdio"])
def test_a_crun_that_does_not_answer_is_not_called_absent(check: str) -> None:
    crun = OciRuntimeFacts(name="crun", program=ProgramFacts(path="/usr/bin/crun", error="did not end within 10 s"))
    assert judged(but(runtimes=(crun,)), f"runtime.{check}").found == "crun does not answer (see OCI runtimes)"
    assert judged(but(runtimes=()), f"runtime.{check}").found == "crun is not installed"


def test_every_check_has_a_bad_case() -> None:
    assert {check.name for check in CHECKS} == {name for name, _, level, _ in CASES if level != "ok"}
