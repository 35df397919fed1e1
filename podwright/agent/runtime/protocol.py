"""What the agent asks of a container runtime. `client` is the real thing. Tests have one in memory.

Every method raises a `PodwrightError`: NotFound for an object that is gone, Unavailable and DeadlineExceeded when the
runtime does not answer, Unimplemented for what it cannot do, and Unknown with its message for the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from podwright.agent.runtime.records import (
    ContainerSummary,
    CriContainerStatus,
    ExecResult,
    FilesystemSpace,
    ImageStatus,
    RegistryCredentials,
    RuntimeEvent,
    RuntimeState,
    RuntimeVersion,
    SandboxStatus,
    SandboxSummary,
)
from podwright.cri.v1 import api_pb2 as api


class CriRuntime(Protocol):
    """CRI's RuntimeService."""

    async def version(self) -> RuntimeVersion:
        """Who answers."""

    async def state(self) -> RuntimeState:
        """The conditions and the features (RPC Status)."""

    async def cgroup_driver(self) -> str | None:
        """`systemd` or `cgroupfs` (RPC RuntimeConfig). None when the runtime does not say."""

    async def set_pod_cidr(self, cidr: str) -> None:
        """RPC UpdateRuntimeConfig."""

    async def sandboxes(self) -> list[SandboxSummary]:
        """All sandboxes that carry a pod's labels, in any state."""

    async def containers(self) -> list[ContainerSummary]:
        """All containers that carry a pod's labels, in any state."""

    async def pod_sandboxes(self, pod_uid: str) -> list[SandboxSummary]:
        """The sandboxes of one pod."""

    async def pod_containers(self, pod_uid: str) -> list[ContainerSummary]:
        """The containers of one pod."""

    async def sandbox_status(self, sandbox_id: str) -> tuple[SandboxStatus, tuple[CriContainerStatus, ...] | None]:
        """A sandbox, and its containers where the runtime sends them along (None: it does not). Raises NotFound."""

    async def container_status(self, container_id: str) -> CriContainerStatus:
        """Raises NotFound."""

    def events(self, begun: asyncio.Event) -> AsyncIterator[RuntimeEvent]:
        """RPC GetContainerEvents. Ends when the runtime ends the stream.

        `begun` is set when no later event can be missed, by runtimes that say so before the first event.
        """

    async def run_sandbox(self, config: api.PodSandboxConfig, handler: str) -> str:
        """The id of the new sandbox, which is READY."""

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """One that is gone or stopped is fine."""

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """One that is gone is fine."""

    async def create_container(
        self, sandbox_id: str, config: api.ContainerConfig, sandbox_config: api.PodSandboxConfig
    ) -> str:
        """The id of the new container."""

    async def start_container(self, container_id: str) -> None:
        """Let its program run."""

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        """The stop signal, then SIGKILL after the grace. Returns when it has ended. One that is gone is fine."""

    async def remove_container(self, container_id: str) -> None:
        """One that is gone is fine."""

    async def update_container(self, container_id: str, resources: api.LinuxContainerResources) -> None:
        """Change the limits of a container that exists."""

    async def update_sandbox(
        self, sandbox_id: str, overhead: api.LinuxContainerResources, resources: api.LinuxContainerResources
    ) -> None:
        """Inform the runtime of a pod's new resources (RPC UpdatePodSandboxResources)."""

    async def exec_sync(self, container_id: str, command: list[str], timeout_s: int) -> ExecResult:
        """Run a command to its end. Raises DeadlineExceeded after `timeout_s`. 0 waits without end."""

    async def reopen_log(self, container_id: str) -> None:
        """Let the container's log go to a new file at its path."""

    async def exec_url(self, request: api.ExecRequest) -> str:
        """Where to connect to for an exec stream."""

    async def attach_url(self, request: api.AttachRequest) -> str:
        """Where to connect to for an attach stream."""

    async def port_forward_url(self, request: api.PortForwardRequest) -> str:
        """Where to connect to for port-forward."""

    async def checkpoint_container(self, container_id: str, location: str, timeout_s: int) -> None:
        """Write a checkpoint archive to `location`."""

    async def container_stats(self) -> list[api.ContainerStats]:
        """Those of all running containers."""

    async def sandbox_stats(self) -> list[api.PodSandboxStats]:
        """Those of all READY sandboxes. Raises Unimplemented."""

    async def stats_of_sandbox(self, sandbox_id: str) -> api.PodSandboxStats:
        """Those of one sandbox. Raises NotFound, Unimplemented."""

    async def metric_descriptors(self) -> list[api.MetricDescriptor]:
        """What `sandbox_metrics` tells of. Raises Unimplemented."""

    async def sandbox_metrics(self) -> list[api.PodSandboxMetrics]:
        """Prometheus metrics by pod. Raises Unimplemented."""


class CriImages(Protocol):
    """CRI's ImageService."""

    async def images(self) -> list[ImageStatus]:
        """All images."""

    async def image(self, reference: str, *, annotations: dict[str, str] | None = None) -> ImageStatus | None:
        """The image of that name, digest or id. None when the runtime does not have it."""

    async def pull(
        self, reference: str, credentials: RegistryCredentials | None, sandbox_config: api.PodSandboxConfig | None
    ) -> str:
        """The pulled image's reference for `create_container`. No deadline: a pull takes what it takes."""

    async def remove_image(self, reference: str) -> None:
        """One that is gone is fine."""

    async def filesystems(self) -> tuple[list[FilesystemSpace], list[FilesystemSpace]]:
        """(of images, of container layers) (RPC ImageFsInfo)."""
