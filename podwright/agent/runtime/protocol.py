"""The interface of a container runtime for the agent. `client` is the real one. Tests have one in memory.

Every method may raise a `PodwrightError`: NotFound for an absent object, Unavailable and DeadlineExceeded if the
runtime does not answer, Unimplemented for an RPC that it lacks, and Unknown with its message for other failures.
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
        """The runtime's name and version."""

    async def state(self) -> RuntimeState:
        """The conditions and the features (RPC Status)."""

    async def cgroup_driver(self) -> str | None:
        """`systemd` or `cgroupfs` (RPC RuntimeConfig). None if the runtime does not report it."""

    async def set_pod_cidr(self, cidr: str) -> None:
        """Send the range of pod addresses to the runtime (RPC UpdateRuntimeConfig)."""

    async def sandboxes(self) -> list[SandboxSummary]:
        """All sandboxes that carry a pod's labels, in any state."""

    async def containers(self) -> list[ContainerSummary]:
        """All containers that carry a pod's labels, in any state."""

    async def pod_sandboxes(self, pod_uid: str) -> list[SandboxSummary]:
        """The sandboxes of one pod."""

    async def pod_containers(self, pod_uid: str) -> list[ContainerSummary]:
        """The containers of one pod."""

    async def sandbox_status(self, sandbox_id: str) -> tuple[SandboxStatus, tuple[CriContainerStatus, ...] | None]:
        """A sandbox, and its containers if the runtime sends them too, else None. Raises NotFound."""

    async def container_status(self, container_id: str) -> CriContainerStatus:
        """A container. Raises NotFound."""

    def events(self, begun: asyncio.Event) -> AsyncIterator[RuntimeEvent]:
        """The events of RPC GetContainerEvents. Ends when the runtime ends the stream.

        `begun` is set as soon as no later event can be missed. Some runtimes show that before the first event.
        """

    async def run_sandbox(self, config: api.PodSandboxConfig, handler: str) -> str:
        """Run a sandbox. Returns its id when it is READY."""

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Stop a sandbox. An absent or stopped one succeeds."""

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Succeeds if it is gone."""

    async def create_container(
        self, sandbox_id: str, config: api.ContainerConfig, sandbox_config: api.PodSandboxConfig
    ) -> str:
        """Create a container. Returns its id."""

    async def start_container(self, container_id: str) -> None:
        """Start a container's program."""

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        """Send the stop signal, and SIGKILL after the grace.

        Returns when the container has ended. An absent one succeeds.
        """

    async def remove_container(self, container_id: str) -> None:
        """Succeeds if it is gone."""

    async def update_container(self, container_id: str, resources: api.LinuxContainerResources) -> None:
        """Change the limits of an existing container."""

    async def update_sandbox(
        self, sandbox_id: str, overhead: api.LinuxContainerResources, resources: api.LinuxContainerResources
    ) -> None:
        """Inform the runtime of a pod's new resources (RPC UpdatePodSandboxResources)."""

    async def exec_sync(self, container_id: str, command: list[str], timeout_s: int) -> ExecResult:
        """Run a command to its end. Raises DeadlineExceeded after `timeout_s`, where 0 means no limit."""

    async def reopen_log(self, container_id: str) -> None:
        """Have the container's log reopened at its path, after a rotation."""

    async def exec_url(self, request: api.ExecRequest) -> str:
        """The URL of an exec stream."""

    async def attach_url(self, request: api.AttachRequest) -> str:
        """The URL of an attach stream."""

    async def port_forward_url(self, request: api.PortForwardRequest) -> str:
        """The URL of a port-forward."""

    async def checkpoint_container(self, container_id: str, location: str, timeout_s: int) -> None:
        """Write a checkpoint archive to `location`."""

    async def container_stats(self) -> list[api.ContainerStats]:
        """The statistics of all running containers."""

    async def sandbox_stats(self) -> list[api.PodSandboxStats]:
        """The statistics of all READY sandboxes. Raises Unimplemented."""

    async def stats_of_sandbox(self, sandbox_id: str) -> api.PodSandboxStats:
        """The statistics of one sandbox. Raises NotFound and Unimplemented."""

    async def metric_descriptors(self) -> list[api.MetricDescriptor]:
        """The descriptors of `sandbox_metrics`. Raises Unimplemented."""

    async def sandbox_metrics(self) -> list[api.PodSandboxMetrics]:
        """Prometheus metrics by pod. Raises Unimplemented."""


class CriImages(Protocol):
    """CRI's ImageService."""

    async def images(self) -> list[ImageStatus]:
        """All images."""

    async def image(self, reference: str, *, annotations: dict[str, str] | None = None) -> ImageStatus | None:
        """The image with this name, digest or id. None if the runtime does not have it."""

    async def pull(
        self, reference: str, credentials: RegistryCredentials | None, sandbox_config: api.PodSandboxConfig | None
    ) -> str:
        """Pull an image, without a deadline. Returns its reference for `create_container`."""

    async def remove_image(self, reference: str) -> None:
        """Succeeds if it is gone."""

    async def filesystems(self) -> tuple[list[FilesystemSpace], list[FilesystemSpace]]:
        """The filesystems of images, and those of containers' layers (RPC ImageFsInfo)."""
