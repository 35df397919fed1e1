"""The requests of the room of sandboxes, and the answers."""

from __future__ import annotations

from podwright.runtime.model.base import Value
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import DnsConfig, PortMapping, SandboxName

INTERFACE = "eth0"
NOT_READY = "NetworkPluginNotReady"  # the reason that kubelets expect


class NetworkRequest(Value, frozen=True, kw_only=True):
    """A sandbox to attach. `netns` is the path of its pinned network namespace."""

    sandbox_id: SandboxId
    name: SandboxName
    netns: str
    port_mappings: tuple[PortMapping, ...] = ()
    dns: DnsConfig | None = None
    annotations: dict[str, str] = {}  # noqa: RUF012 # msgspec copies empty defaults for every instance
    cgroup_parent: str = ""


class Readiness(Value, frozen=True, kw_only=True):
    """CRI's NetworkReady condition. `reason` and `message` are empty if it is ready."""

    ready: bool
    reason: str = ""
    message: str = ""


READY = Readiness(ready=True)


def not_ready(trouble: str) -> Readiness:
    """The condition with the text that kubelets and users know."""
    return Readiness(ready=False, reason=NOT_READY, message=f"Network plugin returns error: {trouble}")
