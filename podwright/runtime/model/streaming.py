"""The requests of Exec, Attach and PortForward, which a client's URL stands for."""

from __future__ import annotations

from podwright.runtime.model.base import Value
from podwright.runtime.model.ids import ContainerId, SandboxId


class StreamRequest(Value, frozen=True, kw_only=True):
    """The part that Exec and Attach share: the streams that the client wants."""

    container_id: ContainerId
    tty: bool = False
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False


class ExecRequest(StreamRequest, frozen=True, kw_only=True):
    """CRI's ExecRequest."""

    command: tuple[str, ...]


class AttachRequest(StreamRequest, frozen=True, kw_only=True):
    """CRI's AttachRequest."""


class PortForwardRequest(Value, frozen=True, kw_only=True):
    """CRI's PortForwardRequest. Only one of the protocols uses `ports`, others name ports on each connection."""

    sandbox_id: SandboxId
    ports: tuple[int, ...] = ()
