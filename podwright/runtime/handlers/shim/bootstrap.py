"""How a shim is started and asked to clean up, as containerd does it: command lines, environments, answers. Pure.

    SHIM -namespace NS -address GRPC -publish-binary PROGRAM -id ID start     in the bundle's directory

prints where the shim listens. Shims since containerd 2.3 want BootstrapParams on their stdin and answer with a
BootstrapResult. Older ones want nothing there, or the runtime's options, and print an address or a JSON object.
(containerd: core/runtime/v2/README.md, pkg/shim, api/runtime/bootstrap/v1.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import Enum

import msgspec
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message

from podwright.errors import RuntimeFailed
from podwright.process import SAFE_PATH
from podwright.runtime.handlers.shim.api import shim_pb2 as pb

NAMESPACE = "k8s.io"  # the one of containerd's CRI plug-in, which shims expect for pods
CONTAINERD_VERSION = "v2.3.0"  # of the bootstrap protocol that we speak
VERSIONS = (2, 3)  # of the Task API
SOCKETS = "/run/containerd/s"  # of the shims that are made with containerd's package
TEXT_LIMIT = 300  # characters of an answer in a message
DEBUG, INFO = -4, 0
# A document of BootstrapResult begins with the field `version`; an address or JSON never does.
RESULT_BEGIN = b"\x08"


class Dialect(Enum):
    """What a shim expects on its stdin when it is started."""

    OPTIONS = "options"
    PARAMS = "params"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What all shims of one handler have in common."""

    binary: str
    grpc_address: str  # identifies this daemon: shims of other daemons listen elsewhere
    ttrpc_address: str  # where shims report events
    publisher: str  # the program that older shims report events with
    options: AnyMessage | None = None  # of the runtime
    debug: bool = False
    sched_core: bool = False


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a shim listens: the path of a unix socket, as connect(2) takes it, and the version of its Task API."""

    path: str
    version: int


def argv(launch: Launch, container_id: str, action: str, bundle: str = "") -> tuple[str, ...]:
    """The command line. `bundle` is for deletions."""
    return (
        launch.binary,
        *("-namespace", NAMESPACE),
        *("-address", launch.grpc_address),
        *("-publish-binary", launch.publisher),
        *("-id", container_id),
        *(("-bundle", bundle) if bundle else ()),
        *(("-debug",) if launch.debug else ()),
        action,
    )


def usual_socket(launch: Launch, pod: str) -> str:
    """Where a shim that is made with containerd's package listens (containerd: pkg/shim, SocketAddress)."""
    name = f"{launch.grpc_address}/{NAMESPACE}/{pod}".encode()
    return f"{SOCKETS}/{hashlib.sha256(name).hexdigest()}"


def environment(launch: Launch) -> Mapping[str, str]:
    """The environment of both actions."""
    return {
        "PATH": SAFE_PATH,
        "GOMAXPROCS": "2",
        "MAX_SHIM_VERSION": "2",  # of the bootstrap protocol; containerd says this too
        "TTRPC_ADDRESS": launch.ttrpc_address,
        "GRPC_ADDRESS": launch.grpc_address,
        "NAMESPACE": NAMESPACE,
        **({"SCHED_CORE": "1"} if launch.sched_core else {}),
    }


def start_input(launch: Launch, container_id: str, dialect: Dialect) -> bytes:
    """What the start action reads from its stdin."""
    if dialect is Dialect.OPTIONS:
        return launch.options.SerializeToString() if launch.options is not None else b""
    return pb.BootstrapParams(
        instance_id=container_id,
        namespace=NAMESPACE,
        log_level=DEBUG if launch.debug else INFO,
        containerd_version=CONTAINERD_VERSION,
        containerd_ttrpc_address=launch.ttrpc_address,
        containerd_grpc_address=launch.grpc_address,
        containerd_binary=launch.publisher,
        extensions=[pb.Extension(value=launch.options)] if launch.options is not None else [],
    ).SerializeToString()


def parse_answer(answer: bytes) -> Address:
    """What the start action printed. Raises RuntimeFailed for what cannot be an address, or one that we cannot use."""
    if answer.startswith(RESULT_BEGIN):
        try:
            result = pb.BootstrapResult.FromString(answer)
        except DecodeError as broken:
            raise _unreadable(answer) from broken
        return _address(result.address, result.protocol, result.version)
    text = answer.strip()
    if text.startswith(b"{"):
        try:
            document = json.loads(text)
            return _address(str(document["address"]), str(document["protocol"]), int(document["version"]))
        except (ValueError, KeyError, TypeError) as broken:
            raise _unreadable(answer) from broken
    try:
        return _address(text.decode(), "ttrpc", 2)
    except UnicodeDecodeError as broken:
        raise _unreadable(answer) from broken


def _address(address: str, protocol: str, version: int) -> Address:
    if protocol != "ttrpc":
        raise RuntimeFailed(f"the shim speaks {protocol!r}, and Podwright speaks ttrpc")
    if version not in VERSIONS:
        raise RuntimeFailed(f"the shim has version {version} of the Task API, and Podwright knows {VERSIONS}")
    path = address.removeprefix("unix://")
    if "://" in path or not path or "\n" in path:
        raise RuntimeFailed(f"the shim listens at {address[:TEXT_LIMIT]!r}, which is not a unix socket")
    # Shims before containerd 1.4 name sockets in the abstract namespace, without a scheme.
    is_file = address.startswith(("unix://", "/run/", "/var/run/"))
    return Address(path=path if is_file else f"\0{path}", version=version)


def _unreadable(answer: bytes) -> RuntimeFailed:
    shown = answer[:TEXT_LIMIT].decode(errors="replace")
    return RuntimeFailed(f"the shim's answer to start cannot be read: {shown!r}")


def packed(type_url: str, message: Message) -> AnyMessage:
    """A message of another's type, as containerd packs it: by its name alone."""
    return AnyMessage(type_url=type_url, value=message.SerializeToString())


def packed_json(type_url: str, document: bytes) -> AnyMessage:
    """A document of OCI's, as containerd packs it."""
    return AnyMessage(type_url=type_url, value=document)
