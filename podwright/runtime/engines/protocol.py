"""What the gRPC edge needs of an engine, by RPC family.

Arguments and results are values of the model. Every method may raise the errors of `podwright.errors`, which the edge
converts to gRPC codes. The services that implement these protocols document the methods.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from podwright.linux.cgroup_lock import WarmCgroupLock
from podwright.process import Completed
from podwright.runtime.events import ContainerEvent
from podwright.runtime.events.hub import Subscription
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container, ContainerConfig
from podwright.runtime.model.ids import ContainerId, ImageId, SandboxId
from podwright.runtime.model.image import FsUsage, Image, RegistryAuth
from podwright.runtime.model.image_store import Accounts, ArchiveFormat, Damage, PullSnapshot, Pushed, VerifySummary
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig
from podwright.runtime.model.streaming import AttachRequest, ExecRequest, PortForwardRequest
from podwright.runtime.model.usage import ContainerStats, SandboxStats
from podwright.runtime.state import Database
from podwright.runtime.stats.metrics import SandboxMetrics

__all__ = [
    "CheckpointEngine",
    "ContainerEngine",
    "ContainerEvent",
    "Engine",
    "EventEngine",
    "HandlerState",
    "ImageEngine",
    "ImageStoreEngine",
    "NodeEngine",
    "NodeImages",
    "NodeState",
    "PodEngine",
    "PullEngine",
    "RestoreEngine",
    "SandboxEngine",
    "StatsEngine",
    "StreamingEngine",
]

Document = dict[str, Any]  # JSON for a verbose status


class HandlerState(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime handler in CRI's Status. The default handler has an empty name."""

    name: str
    user_namespaces: bool
    recursive_read_only_mounts: bool


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """The node in CRI's Status. The network is ready if `network_reason` is empty."""

    handlers: tuple[HandlerState, ...]  # empty: no container can run
    network_reason: str = ""
    network_message: str = ""
    runtime_message: str = ""  # why no container can run
    user_namespaces: bool = False
    groups_policy: bool = True  # supplementalGroupsPolicy Strict
    mount_options: bool = True


class Engine(Protocol):
    """All of an engine: what the daemon starts, serves and ends. It accepts calls after `recover`."""

    @property
    def cgroup_lock(self) -> WarmCgroupLock: ...
    @property
    def node(self) -> NodeEngine: ...
    @property
    def images(self) -> NodeImages: ...
    @property
    def image_tools(self) -> ImageStoreEngine: ...
    @property
    def sandboxes(self) -> SandboxEngine: ...
    @property
    def containers(self) -> ContainerEngine: ...
    @property
    def pods(self) -> PodEngine: ...
    @property
    def events(self) -> EventEngine: ...
    @property
    def stats(self) -> StatsEngine: ...
    @property
    def streaming(self) -> StreamingEngine: ...
    @property
    def checkpoints(self) -> CheckpointEngine: ...
    @property
    def restores(self) -> RestoreEngine: ...
    def check_handler(self, name: str, /) -> object:
        """Raises InvalidArgument for a runtime handler that there is not."""

    async def recover(self, database: Database, /) -> None: ...
    def end_streams(self) -> None: ...
    async def close(self, grace_s: float, /) -> None: ...


class NodeEngine(Protocol):
    """Status, RuntimeConfig and UpdateRuntimeConfig."""

    @property
    def systemd_cgroups(self) -> bool: ...
    async def state(self) -> NodeState: ...
    def document(self) -> Document: ...
    async def set_pod_cidr(self, text: str, /) -> None: ...


class SandboxEngine(Protocol):
    """Pod sandboxes: run and look up. `generation` changes with every change of a record."""

    @property
    def generation(self) -> int: ...
    def now(self) -> int: ...
    async def run(self, config: SandboxConfig, handler: str, /) -> SandboxId: ...
    def get(self, sandbox_id: str, /) -> Sandbox: ...
    def visible(self) -> list[Sandbox]: ...
    def document(self, sandbox: Sandbox, /) -> Document: ...
    async def note_resources(
        self, sandbox_id: str, /, *, overhead: Resources | None, resources: Resources | None
    ) -> None: ...


class PodEngine(Protocol):
    """Sandboxes together with their containers."""

    async def start(self, sandbox_id: str, /) -> None: ...
    async def stop(self, sandbox_id: str, /) -> None: ...
    async def remove(self, sandbox_id: str, /) -> None: ...


class ContainerEngine(Protocol):
    """Containers. `generation` changes with every change of a record."""

    @property
    def generation(self) -> int: ...
    async def create(self, sandbox_id: str, config: ContainerConfig, /) -> ContainerId: ...
    async def start(self, container_id: str, /) -> None: ...
    async def stop(self, container_id: str, grace_s: float, /) -> None: ...
    async def remove(self, container_id: str, /) -> None: ...
    async def pause(self, container_id: str, /) -> None: ...
    async def unpause(self, container_id: str, /) -> None: ...
    async def update(self, container_id: str, change: Resources, /) -> None: ...
    async def exec_sync(self, container_id: str, command: tuple[str, ...], timeout_s: float, /) -> Completed: ...
    async def reopen_log(self, container_id: str, /) -> None: ...
    def get(self, container_id: str, /) -> Container: ...
    def visible(self) -> list[Container]: ...
    def in_sandbox(self, sandbox_id: SandboxId, /) -> list[Container]: ...
    def document(self, container: Container, /) -> Document: ...


class StreamingEngine(Protocol):
    """URLs of the streaming server."""

    async def exec_url(self, request: ExecRequest, /) -> str: ...
    def attach_url(self, request: AttachRequest, /) -> str: ...
    def port_forward_url(self, request: PortForwardRequest, /) -> str: ...


class StatsEngine(Protocol):
    """Resource usage of pods and containers."""

    async def container(self, container_id: str, /) -> ContainerStats: ...
    def running(self, chosen: Callable[[Container], bool], /) -> list[Container]: ...
    async def of_containers(self, wanted: Sequence[Container], /) -> list[ContainerStats]: ...
    async def sandbox(self, sandbox_id: str, /) -> SandboxStats: ...
    def ready(self, chosen: Callable[[Sandbox], bool] = ..., /) -> list[Sandbox]: ...
    async def of_sandboxes(self, wanted: Sequence[Sandbox], /) -> list[SandboxStats]: ...
    async def metrics(self, wanted: Sequence[Sandbox], /) -> list[SandboxMetrics]: ...
    async def layers_usage(self) -> FsUsage | None: ...
    async def written(self) -> list[tuple[Container, int]]: ...


class EventEngine(Protocol):
    """Events about pods and containers."""

    def subscribe(self) -> AbstractContextManager[Subscription]: ...


class CheckpointEngine(Protocol):
    """CheckpointContainer and CheckpointPod."""

    async def container(self, container_id: str, location: str, timeout_s: float, /) -> None: ...
    async def pod(
        self,
        sandbox_id: str,
        folder: str,
        container_ids: Sequence[str],
        options: dict[str, str],
        timeout_s: float,
        /,
    ) -> None: ...


class RestoreEngine(Protocol):
    """RestorePod."""

    async def pod(
        self,
        folder: str,
        config: SandboxConfig,
        handler: str,
        wanted: Sequence[ContainerConfig],
        options: Mapping[str, str],
        timeout_s: float,
        /,
    ) -> tuple[SandboxId, dict[str, ContainerId]]: ...


class ImageEngine(Protocol):
    """CRI's ImageService."""

    async def pull(self, name: str, auth: RegistryAuth | None, /) -> ImageId: ...
    def find(self, name: str, /) -> Image | None: ...
    def list(self) -> list[Image]: ...
    async def remove(self, name: str, /) -> None: ...
    async def fs_usage(self) -> FsUsage: ...


class PullEngine(Protocol):
    """Progress of pulls."""

    def watch_pulls(self, name: str, /) -> AsyncGenerator[tuple[PullSnapshot, ...], None]: ...


class NodeImages(ImageEngine, PullEngine, Protocol):
    """Images with the progress of their pulls."""


class ImageStoreEngine(Protocol):
    """What podwright.v1.ImageStore offers beyond CRI."""

    async def load(self, chunks: AsyncIterator[bytes], name: str, /) -> list[tuple[str, list[str]]]: ...
    def save(self, names: Sequence[str], form: ArchiveFormat, /) -> AsyncGenerator[bytes, None]: ...
    async def push(self, name: str, destination: str, auth: RegistryAuth | None, /) -> Pushed: ...
    def verify(self, names: Sequence[str], /, *, repair: bool) -> AsyncGenerator[Damage | VerifySummary, None]: ...
    async def accounts(self) -> Accounts: ...
    async def prune(self, *, everything: bool, dry_run: bool) -> tuple[list[Image], int]: ...
