"""What the runtime holds, as frozen values. Times are nanoseconds since the epoch, 0 for "not yet".

Sandboxes and containers are recognised by the kubelet's labels (`podwright.agent.pods.identity`), so that a restarted
agent finds its own, and those of a kubelet before it.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, field

import msgspec


class CriSandboxState(enum.Enum):
    """CRI's PodSandboxState."""

    READY = "ready"
    NOTREADY = "notready"


class CriContainerState(enum.Enum):
    """CRI's ContainerState."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


class SandboxSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox as ListPodSandbox shows it."""

    id: str
    pod_uid: str
    pod_name: str
    pod_namespace: str
    attempt: int
    state: CriSandboxState
    created_at_ns: int


class ContainerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A container as ListContainers shows it."""

    id: str
    pod_uid: str
    pod_name: str
    pod_namespace: str
    sandbox_id: str
    name: str
    attempt: int
    state: CriContainerState
    created_at_ns: int
    image: str  # the reference in the config
    image_id: str
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class SandboxStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox as PodSandboxStatus shows it. `ips` is empty for a pod on the host's network."""

    id: str
    pod_uid: str
    pod_name: str
    pod_namespace: str
    attempt: int
    state: CriSandboxState
    created_at_ns: int
    ips: tuple[str, ...] = ()
    host_network: bool = False
    runtime_handler: str = ""


class MountStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One mount of a container, as the runtime made it."""

    container_path: str
    host_path: str
    readonly: bool = False
    recursive_read_only: bool = False
    image: str = ""


class ResourcesStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The actual limits of a container. None for what the runtime does not report."""

    cpu_shares: int | None = None
    cpu_quota_us: int | None = None
    cpu_period_us: int | None = None
    memory_limit_bytes: int | None = None


class UserStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The user of a container's first process."""

    uid: int
    gid: int
    supplemental_groups: tuple[int, ...] = ()


class CriContainerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A container as ContainerStatus shows it. `restart_count` is its attempt."""

    id: str
    name: str
    sandbox_id: str
    restart_count: int
    state: CriContainerState
    created_at_ns: int
    started_at_ns: int = 0
    finished_at_ns: int = 0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_id: str = ""
    image_ref: str = ""
    log_path: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    mounts: tuple[MountStatus, ...] = ()
    resources: ResourcesStatus | None = None
    user: UserStatus | None = None
    stop_signal: str = ""


class ObservedPod(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the runtime holds of one pod. Both lists are newest first, by attempt and then by creation.

    `seen_at` is the time (`Clock.monotonic`) at which the look began: it shows everything that happened before.
    """

    uid: str
    name: str = ""
    namespace: str = ""
    sandboxes: tuple[SandboxStatus, ...] = ()
    containers: tuple[CriContainerStatus, ...] = ()
    seen_at: float = 0.0

    @property
    def ips(self) -> tuple[str, ...]:
        """The addresses of the newest sandbox while it is ready."""
        newest = self.sandboxes[0] if self.sandboxes else None
        return newest.ips if newest is not None and newest.state is CriSandboxState.READY else ()

    def newest(self, name: str) -> CriContainerStatus | None:
        """The newest instance of the container with this name."""
        return next((status for status in self.containers if status.name == name), None)

    def instances(self, name: str) -> tuple[CriContainerStatus, ...]:
        """All instances of the container with this name, newest first."""
        return tuple(status for status in self.containers if status.name == name)

    def running(self) -> tuple[CriContainerStatus, ...]:
        """All instances whose state is RUNNING."""
        return tuple(status for status in self.containers if status.state is CriContainerState.RUNNING)

    def shows_started(self, ids: Collection[str]) -> bool:
        """Whether it shows that all of these containers were started, even if they have ended since."""
        begun = {
            each.id for each in self.containers if each.state in (CriContainerState.RUNNING, CriContainerState.EXITED)
        }
        return begun.issuperset(ids)

    def shows_end(self, ids: Collection[str]) -> bool:
        """Whether it shows that all of these containers have ended, that no other runs, and no sandbox is ready."""
        ended = {each.id for each in self.containers if each.state is CriContainerState.EXITED}
        return ended.issuperset(ids) and not self.running() and not self.ready_sandboxes()

    def ready_sandboxes(self) -> tuple[SandboxStatus, ...]:
        """All sandboxes whose state is READY."""
        return tuple(sandbox for sandbox in self.sandboxes if sandbox.state is CriSandboxState.READY)


class RuntimeVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The runtime's name (`containerd`, `cri-o`, `podwright`) and version."""

    name: str
    version: str
    api_version: str


class CriCondition(msgspec.Struct, frozen=True, kw_only=True):
    """RuntimeReady or NetworkReady."""

    status: bool
    reason: str = ""
    message: str = ""


class HandlerFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """The features of a runtime handler by name. "" is the default handler."""

    name: str
    recursive_read_only_mounts: bool = False
    user_namespaces: bool = False


class RuntimeState(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of Status."""

    runtime: CriCondition
    network: CriCondition
    handlers: tuple[HandlerFeatures, ...] = ()
    supplemental_groups_policy: bool = False
    user_namespaces_host_network: bool = False

    def handler(self, name: str) -> HandlerFeatures | None:
        """The features of the handler with this name."""
        return next((handler for handler in self.handlers if handler.name == name), None)


class RuntimeEventKind(enum.Enum):
    """CRI's ContainerEventType."""

    CREATED = "created"
    STARTED = "started"
    STOPPED = "stopped"
    DELETED = "deleted"


class RuntimeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One message of GetContainerEvents: what happened to `id` (a container or a sandbox), and the pod after it.

    `pod` is None if the event does not show the sandbox. containerd shows it without its containers. `pod_uid` is
    empty if no sandbox is shown, or if it belongs to no pod.
    """

    id: str
    kind: RuntimeEventKind
    pod_uid: str
    created_at_ns: int
    pod: ObservedPod | None = None


class ExecResult(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a command that ran in a container."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""


class ImageStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An image that the runtime has. `uid` and `username` are its config's user, at most one of them set."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size_bytes: int = 0
    uid: int | None = None
    username: str = ""
    pinned: bool = False


class FilesystemSpace(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of one filesystem by images or container layers."""

    mountpoint: str
    used_bytes: int
    inodes_used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCredentials:
    """The credentials for a pull. Never printed: `repr` hides them."""

    username: str = ""
    password: str = field(default="", repr=False)
    auth: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
