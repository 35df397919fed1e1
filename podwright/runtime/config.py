"""The daemon's configuration: one TOML file, strict. Every key, its type and its default stand here.

Read once at start by `app`; the rooms get the section that concerns them. An unknown key is an error that names
the nearest known one.
"""

from __future__ import annotations

import difflib
import tomllib
from typing import Any, Literal, get_args, get_origin

import msgspec

from podwright.errors import InvalidArgument

DEFAULT_PATH = "/etc/podwright/config.toml"
DEFAULT_HANDLER_TYPE = "oci"  # of [handlers.NAME] without a type


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: immutable, and closed against unknown keys."""


class OciHandler(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag=DEFAULT_HANDLER_TYPE
):
    """[handlers.NAME], type = "oci": an OCI runtime under conmon. NAME is CRI's `runtime_handler`, here as below."""

    path: str = ""  # the OCI runtime's binary; empty: NAME, looked up in the standard directories
    conmon: str = "conmon"


class ShimOptions(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[handlers.NAME.options]: what the shim's runtime takes. Those of io.containerd.runc.v2, and those of others."""

    binary_name: str = ""  # runc: the OCI runtime; empty: runc
    root: str = ""  # runc: where the OCI runtime keeps its state; empty: below the daemon's state directory
    shim_cgroup: str = ""  # runc: the cgroup of the shim
    no_pivot_root: bool = False  # runc
    no_new_keyring: bool = False  # runc
    criu_image_path: str = ""  # runc
    criu_work_path: str = ""  # runc
    type_url: str = ""  # others: what config_path or config_body holds
    config_path: str = ""  # others: the runtime's own configuration file
    config_body: str = ""  # others: the same as text


class ShimHandler(Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="shim"):
    """[handlers.NAME], type = "shim": a containerd shim (runtime v2)."""

    runtime_type: str = "io.containerd.runc.v2"  # containerd's name of the runtime, or the shim's absolute path
    path: str = ""  # the shim's binary; empty: the one that runtime_type names, in the standard directories
    sandbox: Literal["auto", "none", "container", "api"] = "auto"  # what each pod has besides its containers
    debug: bool = False  # of the shim's log
    sched_core: bool = False  # core scheduling: no two pods on the threads of one core at once
    options: ShimOptions = ShimOptions()


HANDLER_TYPES: dict[str, type[Section]] = {DEFAULT_HANDLER_TYPE: OciHandler, "shim": ShimHandler}


class Registry(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[registry]: where images come from."""

    config_path: str = "/etc/podwright/certs.d"  # containerd's certs.d/<host>/hosts.toml
    concurrent_downloads: int = 3  # blobs at once, per pull; large ones use the connections that are to spare
    connect_timeout_s: float = 10.0
    stall_timeout_s: float = 60.0  # without a byte, then the next host
    auth_file: str = ""  # logins for pulls that bring none; empty: config.json in $DOCKER_CONFIG or ~/.docker
    credential_helper_timeout_s: float = 10.0
    mirror_timeout_s: float = 30.0  # for a mirror to answer, tries included, while another server can be asked
    mirror_min_rate_bytes_s: int = 16 * 1024  # slower ones are left for the next server; 0: any rate


class Images(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[images]: limits for what a pull or an archive may bring, and what is kept of it."""

    max_layers: int = 256
    max_unpacked_bytes: int = 64 * 1024**3  # per layer, holes of sparse files included
    max_entries: int = 4_000_000  # files in a layer
    max_archive_bytes: int = 64 * 1024**3  # of one `load`, after decompression
    pinned: tuple[str, ...] = ()  # whole names, `*` for any characters; the kubelet and `prune` leave these images
    keep_blobs: bool = True  # false: layers' compressed blobs go once they are unpacked; save and push fetch them anew


class SignatureRule(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[signatures.rules."PREFIX"]: what a pull asks of the image PREFIX, and of all whose names begin with PREFIX/.

    Names are whole ones, such as docker.io/library; of several rules that fit the longest counts.
    """

    action: Literal["accept", "reject", "signed"]
    keys: tuple[str, ...] = ()  # for signed: PEM files, read at each pull; a signature by one of them will do
    signed_as: str = ""  # the prefix that signatures name in the place of PREFIX, for copies of signed images


class Signatures(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[signatures]: which images may be pulled and loaded, by cosign's signatures."""

    default: SignatureRule = SignatureRule(action="accept")  # for images without a rule
    archives: Literal["rules", "accept"] = (
        "rules"  # of `load`, which bring no signatures: names are as in a pull, or free
    )
    rules: dict[str, SignatureRule] = {}


class Network(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[network]: CNI when `cni_conf_dir` holds a configuration, the built-in bridge otherwise."""

    cni_conf_dir: str = "/etc/cni/net.d"
    cni_bin_dirs: tuple[str, ...] = ("/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")
    cni_cache_dir: str = "/var/lib/cni"
    mode: Literal["auto", "cni", "bridge"] = "auto"  # auto: see above; cni: NotReady without a configuration
    bridge: str = "podwright0"
    subnet: str = "10.88.0.0/16"  # a kubelet's pod CIDR takes its place, until it is changed here
    mtu: int = 0  # 0: that of the default route's interface
    timeout_s: float = 60.0  # for one ADD or DEL


class Streaming(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[streaming]: the server behind Exec, Attach and PortForward URLs."""

    address: str = "127.0.0.1:0"  # IP:PORT, port 0 for a free one; other than loopback, it speaks TLS
    tls_cert_file: str = ""  # PEM; empty with tls_key_file: a certificate is made at each start, where TLS is spoken
    tls_key_file: str = ""
    creation_timeout_s: float = 30.0  # for a client to open the streams that it asked for
    idle_timeout_s: float = 4 * 3600.0  # without a byte in either direction, then the connection is closed
    max_connections: int = 256


class Containers(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[containers]: defaults for every container."""

    cgroup_driver: Literal["cgroupfs", "systemd"] = "cgroupfs"
    cgroup_parent: str = "/podwright"  # for pods whose request names none
    apparmor_profile: str = "podwright-default"  # on hosts with AppArmor; loaded if it is not there; empty: none
    seccomp_profile: str = ""  # what RuntimeDefault means; empty: the first of the distribution's files that exists
    cdi_spec_dirs: tuple[str, ...] = ("/etc/cdi", "/var/run/cdi")  # of two with the same device, the later counts
    device_ownership_from_security_context: bool = False  # devices belong to the container's user, not to the host's
    shm_size_bytes: int = 64 * 1024**2
    runtime_timeout_s: float = 60.0  # for one call of an OCI runtime
    exec_output_limit_bytes: int = 16 * 1024**2  # of each stream of ExecSync


class Checkpoint(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[checkpoint]: writing running containers down."""

    criu_dir: str = ""  # where the program criu is; empty: the standard directories


class Config(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    root: str = "/var/lib/podwright"  # survives a reboot: images, records, container filesystems
    state: str = "/run/podwright"  # does not: sockets, pinned namespaces, monitors' files
    listen: str = "unix:///run/podwright/podwright.sock"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    default_handler: str = ""  # empty: crun if there is one, else runc
    handlers: dict[str, OciHandler | ShimHandler] = {}
    registry: Registry = Registry()
    images: Images = Images()
    signatures: Signatures = Signatures()
    network: Network = Network()
    streaming: Streaming = Streaming()
    containers: Containers = Containers()
    checkpoint: Checkpoint = Checkpoint()


def load(path: str | None) -> Config:
    """The configuration in `path`; None means DEFAULT_PATH if it exists, else the defaults.

    Raises InvalidArgument for a file that cannot be read, is not TOML, or has a wrong or unknown key.
    """
    try:
        with open(path or DEFAULT_PATH, "rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError as missing:
        if path is None:
            return Config()
        raise InvalidArgument(f"config {path} does not exist") from missing
    except (OSError, tomllib.TOMLDecodeError) as failure:
        raise InvalidArgument(f"config {path or DEFAULT_PATH}: {failure}") from failure
    return parse(document, path or DEFAULT_PATH)


def parse(document: dict[str, Any], name: str) -> Config:
    """The configuration that a TOML document means. Raises InvalidArgument; `name` is for its message."""
    document = {**document, **_typed_handlers(document, name)}
    _check_keys(document, Config, "", name)
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as failure:
        raise InvalidArgument(f"config {name}: {failure}") from failure
    for key in ("root", "state"):
        if not getattr(config, key).startswith("/"):
            raise InvalidArgument(f"config {name}: {key} must be an absolute path")
    return config


def dump(config: Config) -> str:
    """The effective configuration as TOML."""
    return msgspec.toml.encode(config).decode()


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
        if kind not in HANDLER_TYPES:
            near = difflib.get_close_matches(str(kind), HANDLER_TYPES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known types: {', '.join(sorted(HANDLER_TYPES))}"
            raise InvalidArgument(f"config {name}: handlers.{handler}.type {kind!r} is unknown", hint=hint)
        typed[handler] = {"type": kind, **settings}
    return {"handlers": typed}


def _section_of(entry: Any, settings: dict[str, Any]) -> type[Section]:
    """The section of an entry of a table: the only one, or for handlers the one of its type."""
    if isinstance(entry, type) and issubclass(entry, Section):
        return entry
    return HANDLER_TYPES[settings["type"]]


def _check_keys(document: dict[str, Any], section: type[Section], prefix: str, name: str) -> None:
    fields: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(section)}
    if section.__struct_config__.tag_field is not None:
        fields[section.__struct_config__.tag_field] = str
    for key, value in document.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known keys: {', '.join(sorted(fields))}"
            raise InvalidArgument(f"config {name}: unknown key {prefix}{key}", hint=hint)
        if isinstance(value, dict) and get_origin(fields[key]) is dict:
            for entry, settings in value.items():
                if isinstance(settings, dict):
                    inner = _section_of(get_args(fields[key])[1], settings)
                    _check_keys(settings, inner, f"{prefix}{key}.{entry}.", name)
        elif isinstance(value, dict) and isinstance(fields[key], type) and issubclass(fields[key], Section):
            _check_keys(value, fields[key], f"{prefix}{key}.", name)
