"""A CDI file: its fields and its validity (CDI specification 0.3 to 1.1). Pure.

As the specification requires, unknown fields and fields newer than the file's `cdiVersion` make it invalid.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec

from podwright.errors import FailedPrecondition
from podwright.nesting import check_nesting
from podwright.runtime.cdi.names import DEVICE, KIND
from podwright.runtime.model.base import field_with_nul

VERSIONS = ("0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0")
NODE_TYPES = ("", "b", "c", "u", "p")
NO_PERMISSIONS = "none"
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
NAME_LIMIT = 4095
DEPTH_LIMIT = 32

Id = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Strings = tuple[str, ...]


class CdiPart(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of all parts of a file."""


class CdiDeviceNode(CdiPart, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A device in the container. Missing values are the host's. `uid` and `gid` are those of the container."""

    path: str
    host_path: str = ""
    type: str = ""
    major: Id = 0
    minor: Id = 0
    file_mode: Annotated[int, msgspec.Meta(ge=0, le=0o7777)] | None = None
    permissions: str = ""  # for the device cgroup; empty: rwm
    uid: Id | None = None
    gid: Id | None = None


class CdiMount(CdiPart, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A mount in the container, with OCI's fields."""

    host_path: str
    container_path: str
    type: str = ""
    options: Strings = ()


class Hook(CdiPart, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A program that the OCI runtime runs."""

    hook_name: str
    path: str
    args: Strings = ()
    env: Strings = ()
    timeout: Annotated[int, msgspec.Meta(gt=0, le=2**31 - 1)] | None = None  # seconds


class IntelRdt(CdiPart, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Shares of cache and memory bandwidth, as in resctrl."""

    clos_id: str = msgspec.field(default="", name="closID")
    l3_cache_schema: str = ""
    mem_bw_schema: str = ""
    schemata: Strings = ()
    enable_monitoring: bool = False
    enable_cmt: bool = msgspec.field(default=False, name="enableCMT")  # until 1.0
    enable_mbm: bool = msgspec.field(default=False, name="enableMBM")  # until 1.0


class NetDevice(CdiPart, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An interface of the host that moves into the container."""

    host_interface_name: str
    name: str


class Edits(CdiPart, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Edits of the container's spec."""

    env: Strings = ()
    device_nodes: tuple[CdiDeviceNode, ...] = ()
    net_devices: tuple[NetDevice, ...] = ()
    mounts: tuple[CdiMount, ...] = ()
    hooks: tuple[Hook, ...] = ()
    intel_rdt: IntelRdt | None = None
    additional_gids: tuple[Id, ...] = ()


class CdiDevice(CdiPart, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One device of a kind."""

    name: str
    annotations: dict[str, str] = {}
    container_edits: Edits


class CdiDocument(CdiPart, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A file. Its own edits apply with any of its devices."""

    cdi_version: str
    kind: str
    annotations: dict[str, str] = {}
    devices: tuple[CdiDevice, ...]
    container_edits: Edits = Edits()

    @property
    def all_edits(self) -> tuple[Edits, ...]:
        """The edits of the file and of its devices."""
        return (self.container_edits, *(device.container_edits for device in self.devices))


def parse(data: bytes, *, yaml: bool) -> CdiDocument:
    """Parse a file. Raises FailedPrecondition. The caller adds the file's name to the message."""
    try:
        document = msgspec.convert(
            _without_nulls(_from_yaml(data) if yaml else msgspec.json.decode(data)), CdiDocument
        )
    except (ValueError, RecursionError, OverflowError) as failure:  # UnicodeDecodeError and msgspec's are ValueErrors
        raise FailedPrecondition(f"cannot parse it: {str(failure) or type(failure).__name__}") from failure
    for problem in _problems(document):
        raise FailedPrecondition(problem)
    return document


def _from_yaml(data: bytes) -> Any:
    """Raises ValueError, also for aliases, which can expand without limit."""
    import yaml  # noqa: PLC0415 # 20 ms, and most hosts have no such file

    try:
        check_nesting(data, DEPTH_LIMIT, aliases=False)
        return yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 # both are safe ones
    except yaml.YAMLError as failure:
        raise ValueError(str(failure)) from failure


def _without_nulls(value: Any) -> Any:
    """As in the reference implementation, null means an absent field."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _problems(document: CdiDocument) -> Iterator[str]:
    version = document.cdi_version.removeprefix("v")
    if version not in VERSIONS:
        yield f"its cdiVersion is {document.cdi_version!r}, and not one of {', '.join(VERSIONS)}"
    elif VERSIONS.index(version) < VERSIONS.index(needed := needed_version(document)):
        yield f"its cdiVersion is {document.cdi_version}, but it has fields that came with {needed}"
    if name := field_with_nul(document):
        yield f"a NUL in {name}"
    if KIND.fullmatch(document.kind) is None:
        yield f"{document.kind!r} is not a kind of device, such as vendor.com/class"
    if not document.devices:
        yield "it has no devices"
    names = [device.name for device in document.devices]
    for device in document.devices:
        if DEVICE.fullmatch(device.name) is None:
            yield f"{device.name!r} is not the name of a device"
        if names.count(device.name) > 1:
            yield f"it has the device {device.name} twice"
        if device.container_edits == Edits():
            yield f"device {device.name} changes nothing"
    for edits in document.all_edits:
        yield from _problems_of(edits)


def needed_version(document: CdiDocument) -> str:
    """The lowest version that has all used fields."""
    every = document.all_edits
    rdt = [edits.intel_rdt for edits in every if edits.intel_rdt is not None]
    named = (document.annotations, *(device.annotations for device in document.devices))
    uses = (
        (
            "1.1.0",
            any(edits.net_devices for edits in every) or any(one.schemata or one.enable_monitoring for one in rdt),
        ),
        ("0.7.0", bool(rdt) or any(edits.additional_gids for edits in every)),
        ("0.6.0", any(named) or "." in document.kind.partition("/")[2]),
        ("0.5.0", any(node.host_path for edits in every for node in edits.device_nodes)),
        ("0.5.0", any(device.name[:1].isdigit() for device in document.devices)),
        ("0.4.0", any(mount.type for edits in every for mount in edits.mounts)),
    )
    return next((version for version, used in uses if used), VERSIONS[0])


def _problems_of(edits: Edits) -> Iterator[str]:
    yield from _variable_problems(edits.env)
    for node in edits.device_nodes:
        if not node.path.startswith("/") or not (node.host_path or "/").startswith("/"):
            yield f"device node {node.path!r}: its paths are not absolute"
        if node.type not in NODE_TYPES:
            yield f"device node {node.path}: {node.type!r} is not a type"
        if node.permissions != NO_PERMISSIONS and set(node.permissions) - set("rwm"):
            yield f"device node {node.path}: {node.permissions!r} are not of r, w and m"
    for mount in edits.mounts:
        if not mount.host_path or not mount.container_path.startswith("/"):
            yield f"mount {mount.container_path!r} of {mount.host_path!r}: one path is missing or not absolute"
        elif posixpath.normpath(mount.container_path).strip("/") == "":
            yield "a mount hides the whole container"
    for hook in edits.hooks:
        if hook.hook_name not in HOOKS:
            yield f"{hook.hook_name!r} is not a hook; there are {', '.join(HOOKS)}"
        if not hook.path.startswith("/"):
            yield f"hook {hook.hook_name}: {hook.path!r} is not an absolute path"
        yield from _variable_problems(hook.env)
    clos = edits.intel_rdt.clos_id if edits.intel_rdt else ""
    if clos in (".", "..") or (clos != "/" and set(clos) & {"/", "\n"}) or len(clos) > NAME_LIMIT:
        yield f"{clos[:40]!r} is not a class of service"


def _variable_problems(variables: Iterable[str]) -> Iterator[str]:
    for variable in variables:
        if variable.find("=") <= 0:
            yield f"{variable[:200]!r} is not NAME=value"
