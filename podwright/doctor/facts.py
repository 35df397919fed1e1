"""Facts about a machine, as data. `gather` collects them, `judge` evaluates them.

An empty `…_error` field means that the test succeeded.
"""

from __future__ import annotations

import msgspec


class ProgramFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An installed binary. `version` is its own text. `numbers` are the leading numbers in it, for comparisons."""

    path: str
    version: str = ""
    numbers: tuple[int, ...] = ()
    error: str = ""


class SystemFacts(msgspec.Struct, frozen=True, kw_only=True):
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


class KernelFacts(msgspec.Struct, frozen=True, kw_only=True):
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


class CgroupFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`controllers` are usable ones of either version. `unified_controllers` are those in the v2 hierarchy."""

    layout: str = "none"
    controllers: frozenset[str] = frozenset()
    unified_controllers: frozenset[str] = frozenset()
    writable: bool = True


class OciRuntimeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A runc-like binary, by its handler's name. `features` is None if it cannot list them."""

    name: str
    program: ProgramFacts
    features: OciFeatures | None = None


class OciFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the OCI runtime-spec's features document that Podwright uses."""

    oci_version_max: str = ""
    seccomp: bool = False
    apparmor: bool = False
    selinux: bool = False
    idmapped_mounts: bool = False
    recursive_read_only: bool = False


class SandboxFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What sandboxes and virtual machines need. `shims` are the installed ones, without their common beginning."""

    shims: tuple[str, ...] = ()
    has_kvm: bool = False
    namespaces_look_like_the_hosts: bool = False  # a new network namespace has a file that older runsc look for


class DockerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The Docker Engine of engine = "docker", as it answers on its socket."""

    socket: str
    version: str = ""
    api: tuple[int, ...] = ()
    storage: str = ""
    live_restore: bool = False
    error: str = ""


class NetworkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`plugins` are those in the first CNI configuration. `config` is its file, empty if there is none."""

    mode: str = "auto"
    conf_dir: str = ""
    bin_dirs: tuple[str, ...] = ()
    config: str = ""
    config_error: str = ""
    plugins: tuple[str, ...] = ()
    plugins_missing: tuple[str, ...] = ()
    link_errors: dict[str, str] = msgspec.field(default_factory=dict)
    nft: ProgramFacts | None = None
    nft_error: str = ""
    iptables: ProgramFacts | None = None
    ip_forward: bool = True


class SecurityFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`seccomp_profile` is the file for RuntimeDefault, empty if there is none."""

    seccomp_profile: str = ""
    seccomp_error: str = ""
    apparmor: bool = False
    apparmor_parser: bool = False
    selinux: bool = False


class StorageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The filesystem of a directory, the daemon's root or that of images, which may not exist yet."""

    root: str = ""
    filesystem: str = ""
    free_bytes: int = 0
    total_bytes: int = 0
    free_inodes: int = 0
    total_inodes: int = 0
    writable: bool = True


class LimitFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of this process, which the daemon would inherit, and of the kernel."""

    nofile_soft: int = 0
    nofile_hard: int = 0
    inotify_instances: int = 0
    time_s: float = 0.0
    clock_synchronised: bool | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All facts. The defaults stand for an unknown machine."""

    host: SystemFacts = msgspec.field(default_factory=SystemFacts)
    kernel: KernelFacts = msgspec.field(default_factory=KernelFacts)
    cgroups: CgroupFacts = msgspec.field(default_factory=CgroupFacts)
    runtimes: tuple[OciRuntimeFacts, ...] = ()
    conmon: ProgramFacts | None = None
    docker: DockerFacts | None = None  # None: Podwright runs pods itself
    criu: ProgramFacts | None = None
    sandboxes: SandboxFacts = msgspec.field(default_factory=SandboxFacts)
    network: NetworkFacts = msgspec.field(default_factory=NetworkFacts)
    security: SecurityFacts = msgspec.field(default_factory=SecurityFacts)
    storage: StorageFacts = msgspec.field(default_factory=StorageFacts)
    images: StorageFacts | None = None  # None: images are below the root
    limits: LimitFacts = msgspec.field(default_factory=LimitFacts)
