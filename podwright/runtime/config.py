"""The daemon's configuration: one TOML file, strict. Every key, its type and its default are here.

`app` reads it once at start, and each room gets its section. An unknown key is an error that suggests the nearest
known key. The comment beside a key is its text in docs/config.md: run `python -m tools.config_docs` after a change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.entry_points import offers
from podwright.spelling import nearest

DEFAULT_PATH = "/etc/podwright/config.toml"
DEFAULT_HANDLER_TYPE = "oci"  # of [handlers.NAME] without a type
ENTRY_POINTS = "podwright.handlers"  # where other packages name their types of handlers


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections. Unknown keys are errors."""


class OciHandlerSettings(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag=DEFAULT_HANDLER_TYPE
):
    """[handlers.NAME], type = "oci": an OCI runtime under conmon. NAME is CRI's `runtime_handler`."""

    path: str = ""  # the OCI runtime's binary; empty: NAME in the standard directories
    conmon: str = "conmon"  # conmon's binary, or its name in the standard directories
    root: str = ""  # the directory NAME below it has the runtime's state; empty: below the daemon's state
    arguments: tuple[str, ...] = ()  # of every call of the runtime, before its command, such as "--platform=kvm"
    # Whether each pod gets a first container that the runtime makes its sandbox of; auto: for runsc.
    sandbox_container: Literal["auto", "yes", "no"] = "auto"
    allowed_annotations: tuple[str, ...] = ()  # of pods and containers that the runtime gets; `*` matches anything
    seccomp_profile: str = ""  # for RuntimeDefault; empty: that of [containers]


class ShimOptions(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[handlers.NAME.options], for type = "shim": options of io.containerd.runc.v2, and of other runtimes."""

    binary_name: str = ""  # runc: the OCI runtime; empty: runc
    root: str = ""  # runc: the directory of the OCI runtime's state; empty: below the daemon's state
    shim_cgroup: str = ""  # runc: the cgroup of the shim
    no_pivot_root: bool = False  # runc: do not use pivot_root(2)
    no_new_keyring: bool = False  # runc: do not make a session keyring for the container
    criu_image_path: str = ""  # runc: the directory of CRIU's images
    criu_work_path: str = ""  # runc: CRIU's working directory
    type_url: str = ""  # others: the type of the message in config_path or config_body
    config_path: str = ""  # others: the runtime's own configuration file
    config_body: str = ""  # others: the same as text


class ShimHandlerSettings(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="shim"
):
    """[handlers.NAME], type = "shim": a containerd shim (runtime v2)."""

    runtime_type: str = "io.containerd.runc.v2"  # containerd's name of the runtime, or the shim's absolute path
    path: str = ""  # the shim's binary; empty: that of runtime_type in the standard directories
    # What each pod has besides its containers: nothing, a sandbox container, or a sandbox by the Sandbox API.
    sandbox: Literal["auto", "none", "container", "api"] = "auto"
    debug: bool = False  # debug messages in the shim's log
    sched_core: bool = False  # core scheduling: no two pods on the threads of one core at once
    allowed_annotations: tuple[str, ...] = ()  # of pods and containers that the shim gets; `*` matches anything
    options: ShimOptions = ShimOptions()


class ForeignHandlerSettings(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="foreign"
):
    """[handlers.NAME] with a type of another package, which knows what `keys` it takes (`handlers.plugin`)."""

    kind: str
    keys: dict[str, Any] = {}


FOREIGN = "foreign"
HANDLER_TYPES: dict[str, type[Section]] = {DEFAULT_HANDLER_TYPE: OciHandlerSettings, "shim": ShimHandlerSettings}


class RegistrySettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[registry]: where images come from."""

    config_path: str = "/etc/podwright/certs.d"  # the directory of containerd's files HOST/hosts.toml
    concurrent_downloads: int = 3  # per pull; a large blob uses connections that are free
    connect_timeout_s: float = 10.0  # for a connection to a server
    stall_timeout_s: float = 60.0  # time without data before the next host is tried
    auth_file: str = ""  # logins for pulls without one; empty: config.json in $DOCKER_CONFIG or ~/.docker
    credential_helper_timeout_s: float = 10.0  # for a program that has logins
    mirror_timeout_s: float = 30.0  # for a mirror's answer, retries included, if there is another server
    mirror_min_rate_bytes_s: int = 16 * 1024  # a slower mirror is given up for the next server; 0: any rate


class ImageSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[images]: where images are, limits for pulls and archives, and what is kept of an image."""

    store: str = ""  # the directory of images, such as one on a disk of its own; empty: root
    max_layers: int = 256  # of an image
    max_unpacked_bytes: int = 64 * 1024**3  # of a layer, including holes of sparse files
    max_entries: int = 4_000_000  # files in a layer
    max_archive_bytes: int = 64 * 1024**3  # of one `load`, after decompression
    pinned: tuple[str, ...] = ()  # references, `*` matches anything; the kubelet and `prune` keep these images
    keep_blobs: bool = True  # false: delete compressed layers after unpacking; save and push download them again


class SignatureRule(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[signatures.rules."PREFIX"]: what is required of the image PREFIX and of images whose names start with PREFIX/.

    Names are complete, such as docker.io/library. The longest matching rule applies. [signatures.default] has the same
    keys, for images without a rule. Without it they are accepted.
    """

    action: Literal["accept", "reject", "signed"]  # accept or reject images, or require a signature
    keys: tuple[str, ...] = ()  # for signed: PEM files, read at each pull; one valid signature is enough
    signed_as: str = ""  # for copies of signed images: the prefix in the signature instead of PREFIX


class SignatureSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[signatures]: which images may be pulled and loaded, by cosign's signatures."""

    default: SignatureRule = SignatureRule(action="accept")  # for images without a rule
    # For `load`, because archives have no signatures: apply the rules to names, or accept every name.
    archives: Literal["rules", "accept"] = "rules"
    rules: dict[str, SignatureRule] = {}


class NetworkSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[network]: CNI if `cni_conf_dir` holds a configuration, otherwise the built-in bridge."""

    cni_conf_dir: str = "/etc/cni/net.d"  # the configuration of the network
    cni_bin_dirs: tuple[str, ...] = ("/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")  # the plugins
    cni_cache_dir: str = "/var/lib/cni"  # libcni's cache of attachments
    # auto: CNI if there is a configuration; cni: without a configuration the node is NotReady.
    mode: Literal["auto", "cni", "bridge"] = "auto"
    bridge: str = "podwright0"  # the name of the built-in bridge
    subnet: str = "10.88.0.0/16"  # of pods on the bridge; a kubelet's pod CIDR replaces it until this value changes
    no_masquerade: tuple[str, ...] = ()  # networks that see pods' own addresses, such as the pods of other nodes
    mtu: int = 0  # 0: the MTU of the default route's interface
    timeout_s: float = 60.0  # for one ADD or DEL of CNI


class StreamingSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[streaming]: the server behind the URLs of Exec, Attach and PortForward."""

    address: str = "127.0.0.1:0"  # IP:PORT; port 0: any free port; TLS unless loopback
    tls_cert_file: str = ""  # PEM; empty: with TLS, a new certificate is made at each start
    tls_key_file: str = ""  # PEM; the key of tls_cert_file
    creation_timeout_s: float = 30.0  # for a client to open its streams
    idle_timeout_s: float = 4 * 3600.0  # without data in either direction, then the connection is closed
    max_connections: int = 256  # at a time


class ContainerSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[containers]: defaults for every container."""

    cgroup_driver: Literal["cgroupfs", "systemd"] = "cgroupfs"  # the same as the kubelet's
    cgroup_parent: str = "/podwright"  # for pods without one in the request
    apparmor_profile: str = "podwright-default"  # on hosts with AppArmor; loaded if missing; empty: none
    seccomp_profile: str = ""  # for RuntimeDefault; empty: the first of the distribution's files that exists
    cdi_spec_dirs: tuple[str, ...] = ("/etc/cdi", "/var/run/cdi")  # CDI files; a later one overrides an earlier
    device_ownership_from_security_context: bool = False  # true: devices belong to the container's user
    hooks_dirs: tuple[str, ...] = ()  # OCI hooks (oci-hooks(5)), such as /usr/share/containers/oci/hooks.d
    blockio_config_file: str = ""  # Block I/O classes in containerd's format (goresctrl); empty: none
    shm_size_bytes: int = 64 * 1024**2  # of a pod's /dev/shm
    runtime_timeout_s: float = 60.0  # for one call of an OCI runtime
    exec_output_limit_bytes: int = 16 * 1024**2  # of each stream of ExecSync


class DockerSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[docker]: the Docker Engine, for engine = "docker"."""

    socket: str = "/var/run/docker.sock"  # the path of its unix socket
    request_timeout_s: float = 60.0  # for one call; starts have two minutes, pulls no limit


class CheckpointSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[checkpoint]: checkpoints of running containers."""

    criu_dir: str = ""  # the directory of criu; empty: the standard directories


class NriValidatorSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[nri.default_validator]: what plug-ins may not change, with containerd's keys."""

    enable: bool = False  # check what plug-ins change
    reject_oci_hook_adjustment: bool = False  # reject changes of OCI hooks
    reject_runtime_default_seccomp_adjustment: bool = False  # reject changes of the runtime's default seccomp profile
    reject_unconfined_seccomp_adjustment: bool = False  # reject changes of seccomp of unconfined containers
    reject_custom_seccomp_adjustment: bool = False  # reject changes of seccomp profiles of the node's files
    reject_namespace_adjustment: bool = False  # reject changes of namespaces
    reject_sysctl_adjustment: bool = False  # reject changes of sysctls
    required_plugins: tuple[str, ...] = ()  # without all of these, no container is created
    tolerate_missing_plugins_annotation: str = ""  # the annotation of pods that need no required plug-ins


class NriSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[nri]: plug-ins of the Node Resource Interface, with containerd's keys and defaults."""

    disable: bool = False  # no plug-ins at all
    socket_path: str = "/var/run/nri/nri.sock"  # at which plug-ins register
    plugin_path: str = "/opt/nri/plugins"  # programs named NN-NAME, started with the daemon
    plugin_config_path: str = "/etc/nri/conf.d"  # their files NN-NAME.conf or NAME.conf
    plugin_registration_timeout_s: float = 5.0  # for a plug-in to register
    plugin_request_timeout_s: float = 2.0  # for each call of one
    disable_connections: bool = False  # no socket: only plug-ins that the daemon starts
    default_validator: NriValidatorSettings = NriValidatorSettings()


class HookSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[hooks]: listeners of Python packages, by the names of their entry points (`podwright.hooks`)."""

    enabled: tuple[str, ...] = ()  # in the order in which they are called, before NRI's plug-ins
    timeout_s: float = 5.0  # for each call of a listener


class Config(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    root: str = "/var/lib/podwright"  # what survives a reboot: images, records, container filesystems
    state: str = "/run/podwright"  # what does not: sockets, pinned namespaces, monitors' files
    listen: str = "unix:///run/podwright/podwright.sock"  # the socket of the CRI server
    log_level: Literal["debug", "info", "warning", "error"] = "info"  # of the daemon's log
    engine: Literal["native", "docker"] = "native"  # what runs pods: Podwright itself, or a Docker Engine
    default_handler: str = ""  # for pods without a runtime handler; empty: crun if there is one, else runc
    handlers: dict[str, OciHandlerSettings | ShimHandlerSettings | ForeignHandlerSettings] = {}
    registry: RegistrySettings = RegistrySettings()
    images: ImageSettings = ImageSettings()
    signatures: SignatureSettings = SignatureSettings()
    network: NetworkSettings = NetworkSettings()
    streaming: StreamingSettings = StreamingSettings()
    containers: ContainerSettings = ContainerSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    nri: NriSettings = NriSettings()
    hooks: HookSettings = HookSettings()
    docker: DockerSettings = DockerSettings()

    @property
    def image_root(self) -> str:
        """The directory of blobs and unpacked layers."""
        return self.images.store or self.root


def load_config(path: str | None) -> Config:
    """The configuration in `path`. None means DEFAULT_PATH if it exists, otherwise the defaults.

    Raises InvalidArgument if the file is missing, unreadable, invalid TOML, or has an invalid value or unknown key.
    """
    try:
        with open(path or DEFAULT_PATH, "rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError as missing:
        if path is None:
            return Config()
        raise InvalidArgument(f"config {path} does not exist") from missing
    except OSError as failure:
        raise InvalidArgument(f"cannot read config {path or DEFAULT_PATH}: {failure.strerror}") from failure
    except tomllib.TOMLDecodeError as failure:
        raise InvalidArgument(f"config {path or DEFAULT_PATH}: {failure}") from failure
    return parse_config(document, path or DEFAULT_PATH)


def parse_config(document: dict[str, Any], name: str) -> Config:
    """The configuration in a TOML document. Raises InvalidArgument with `name` in the message."""
    document = {**document, **_typed_handlers(document, name)}
    _check_keys(document, Config, "", name)
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as failure:
        raise InvalidArgument(f"config {name}: {failure}") from failure
    _check_paths(config, name)
    return config


def overridden(config: Config, given: Mapping[str, str]) -> Config:
    """With texts of the command line in the place of the file's. Raises InvalidArgument."""
    changed = msgspec.structs.replace(config, **given)
    _check_paths(changed, "command line")
    return changed


def dump_config(config: Config) -> str:
    """The effective configuration as TOML."""
    document = msgspec.to_builtins(config)
    for name, settings in document["handlers"].items():
        if settings["type"] == FOREIGN:
            document["handlers"][name] = {"type": settings["kind"], **settings["keys"]}
    return msgspec.toml.encode(document).decode()


def _check_paths(config: Config, name: str) -> None:
    for key in ("root", "state"):
        if not getattr(config, key).startswith("/"):
            raise InvalidArgument(f"config {name}: {key} must be an absolute path")
    if not config.image_root.startswith("/"):
        raise InvalidArgument(f"config {name}: images.store must be an absolute path")
    if ".." in config.containers.cgroup_parent.split("/"):
        raise InvalidArgument(f"config {name}: containers.cgroup_parent must not contain ..")
    for path in (config.root, config.state, config.images.store, config.containers.cgroup_parent):
        if "\0" in path:
            raise InvalidArgument(f"config {name}: {path!r} has a NUL byte, which no path can have")


def _typed_handlers(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The table of handlers, each with its type. Raises InvalidArgument for a type that there is not."""
    handlers = document.get("handlers")
    if not isinstance(handlers, dict):
        return {}
    typed = {}
    for handler, settings in handlers.items():
        if not isinstance(settings, dict):
            return {}  # the conversion says what is wrong
        kind = settings.get("type", DEFAULT_HANDLER_TYPE)
        if kind in HANDLER_TYPES:
            typed[handler] = {"type": kind, **settings}
        else:
            _check_foreign(kind, f"config {name}: handlers.{handler}.type")
            keys = {key: value for key, value in settings.items() if key != "type"}
            typed[handler] = {"type": FOREIGN, "kind": kind, "keys": keys}
    return {"handlers": typed}


def _check_foreign(kind: Any, where: str) -> None:
    """Raises InvalidArgument if no installed package has this type of handlers."""
    known = {*HANDLER_TYPES, *(offer.name for offer in offers(ENTRY_POINTS))}
    if kind not in known:
        near = nearest(str(kind), known)
        hint = f"did you mean {near!r}?" if near else f"known types: {', '.join(sorted(known))}"
        raise InvalidArgument(f"{where} {kind!r} is unknown", hint=hint)


def _section_of(entry: Any, settings: dict[str, Any]) -> type[Section]:
    """The section of an entry of a table: the only one, or for handlers the one of its type."""
    if isinstance(entry, type) and issubclass(entry, Section):
        return entry
    return HANDLER_TYPES.get(settings["type"], ForeignHandlerSettings)


def _check_keys(document: dict[str, Any], section: type[Section], prefix: str, name: str) -> None:
    fields: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(section)}
    if section.__struct_config__.tag_field is not None:
        fields[section.__struct_config__.tag_field] = str
    for key, value in document.items():
        if key not in fields:
            near = nearest(key, fields)
            hint = f"did you mean {prefix}{near}?" if near else f"known keys: {', '.join(sorted(fields))}"
            raise InvalidArgument(f"config {name}: unknown key {prefix}{key}", hint=hint)
        if isinstance(value, dict) and get_origin(fields[key]) is dict:
            for entry, settings in value.items():
                if isinstance(settings, dict):
                    inner = _section_of(get_args(fields[key])[1], settings)
                    _check_keys(settings, inner, f"{prefix}{key}.{entry}.", name)
        elif isinstance(value, dict) and isinstance(fields[key], type) and issubclass(fields[key], Section):
            _check_keys(value, fields[key], f"{prefix}{key}.", name)
