"""What a client asked Exec, Attach and PortForward for, and will come for with the URL it was given."""

from __future__ import annotations

from podwright.runtime.model.base import Value
from podwright.runtime.model.ids import ContainerId, SandboxId


class StreamRequest(Value, frozen=True, kw_only=True):
    """The part that Exec and Attach share: which of the container's streams the client wants."""

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
    """CRI's PortForwardRequest; `ports` matter to one of the protocols only, the others name them as they go."""

    sandbox_id: SandboxId
    ports: tuple[int, ...] = ()
