"""Facts about a machine, as data. `gather` collects them, `judge` evaluates them.

An empty `…_error` field means that the test succeeded.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFacts:
    """An installed binary. `version` is its own text. `numbers` are the leading numbers in it, for comparisons."""

    path: str
    version: str = ""
    numbers: tuple[int, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """`distribution` has the ID and ID_LIKE values of os-release(5). `in_user_namespace` is about this process.

    `dev_null` is the owner, the group and the mode of /dev/null.
    """

    architecture: str = "x86_64"
    distribution: frozenset[str] = frozenset()
    has_systemd: bool = False
    uid: int = 0
    dev_null: tuple[int, int, int] = (0, 0, 0o666)
    in_user_namespace: bool = False
    capabilities: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFacts:
    """Kernel features, tested instead of derived from `release` where a test is harmless."""

    release: str = ""
    numbers: tuple[int, ...] = ()
    overlay_error: str = ""
    new_mount_api: bool = True
    idmapped_mounts: bool = True
    pidfd: bool = True
    openat2: bool = True
    namespaces: frozenset[str] = frozenset()
    max_user_namespaces: int = 0
    seccomp_actions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupFacts:
    """`controllers` are usable ones of either version. `unified_controllers` are those in the v2 hierarchy."""

    layout: str = "none"
    controllers: frozenset[str] = frozenset()
    unified_controllers: frozenset[str] = frozenset()
    writable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OciRuntimeFacts:
    """A runc-like binary, by its handler's name. `features` is None if it cannot list them."""

    name: str
    program: ProgramFacts
    features: OciFeatures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OciFeatures:
    """The part of the OCI runtime-spec's features document that Podwright uses."""

    oci_version_max: str = ""
    seccomp: bool = False
    apparmor: bool = False
    selinux: bool = False
    idmapped_mounts: bool = False
    recursive_read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFacts:
    """What sandboxes and virtual machines need. `shims` are the installed ones, without their common beginning."""

    shims: tuple[str, ...] = ()
    has_kvm: bool = False
    namespaces_look_like_the_hosts: bool = False  # a new network namespace has a file that older runsc look for


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerFacts:
    """The Docker Engine of engine = "docker", as it answers on its socket."""

    socket: str
    version: str = ""
    api: tuple[int, ...] = ()
    storage: str = ""
    live_restore: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """`plugins` are those in the first CNI configuration. `config` is its file, empty if there is none."""

    mode: str = "auto"
    conf_dir: str = ""
    bin_dirs: tuple[str, ...] = ()
    config: str = ""
    config_error: str = ""
    plugins: tuple[str, ...] = ()
    plugins_missing: tuple[str, ...] = ()
    link_errors: dict[str, str] = field(default_factory=dict)
    nft: ProgramFacts | None = None
    nft_error: str = ""
    iptables: ProgramFacts | None = None
    ip_forward: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityFacts:
    """`seccomp_profile` is the file for RuntimeDefault, empty if there is none."""

    seccomp_profile: str = ""
    seccomp_error: str = ""
    apparmor: bool = False
    apparmor_parser: bool = False
    selinux: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFacts:
    """The filesystem of the root directory, which may not exist yet."""

    root: str = ""
    filesystem: str = ""
    free_bytes: int = 0
    total_bytes: int = 0
    free_inodes: int = 0
    total_inodes: int = 0
    writable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFacts:
    """Limits of this process, which the daemon would inherit, and of the kernel."""

    nofile_soft: int = 0
    nofile_hard: int = 0
    inotify_instances: int = 0
    time_s: float = 0.0
    clock_synchronised: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All facts. The defaults stand for an unknown machine."""

    host: SystemFacts = field(default_factory=SystemFacts)
    kernel: KernelFacts = field(default_factory=KernelFacts)
    cgroups: CgroupFacts = field(default_factory=CgroupFacts)
    runtimes: tuple[OciRuntimeFacts, ...] = ()
    conmon: ProgramFacts | None = None
    docker: DockerFacts | None = None  # None: Podwright runs pods itself
    criu: ProgramFacts | None = None
    sandboxes: SandboxFacts = field(default_factory=SandboxFacts)
    network: NetworkFacts = field(default_factory=NetworkFacts)
    security: SecurityFacts = field(default_factory=SecurityFacts)
    storage: StorageFacts = field(default_factory=StorageFacts)
    limits: LimitFacts = field(default_factory=LimitFacts)
