"""What a suite needs from a target.

Times are in milliseconds, taken inside the target around each call. All methods raise a PodwrightError if the call
fails, and Unimplemented if the target does not support it.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from podwright.bench.options import TargetOptions

LABEL = "podwright.bench"
NAMESPACE = "podwright-bench"
# It ends at once on SIGTERM like a good server. A bare `sleep` as process 1 would wait for SIGKILL.
IDLE_COMMAND = ("sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait")
EXEC_COMMAND = ("true",)


class StartedContainer(msgspec.Struct, frozen=True, kw_only=True):
    """A running container, and the times of CreateContainer and StartContainer."""

    id: str
    steps_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedPod:
    """A pod with one running container, and the time of each step.

    `context` is what the target needs to extend or end the pod.
    """

    id: str
    container_id: str
    steps_ms: Mapping[str, float]
    context: object = field(default=None, repr=False)

    @property
    def sum_ms(self) -> float:
        """From nothing to a running container."""
        return sum(self.steps_ms.values())

    @property
    def ids(self) -> tuple[str, str]:
        """Text in the command lines of its monitors."""
        return self.id, self.container_id


class TargetVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The target's own version."""

    runtime_name: str
    runtime_version: str
    api_version: str


class Tunnel(Protocol):
    """A port-forward session."""

    def connection(self, port: int) -> contextlib.AbstractAsyncContextManager[socket.socket]:
        """A non-blocking socket to a port of the pod."""


class BenchTarget(Protocol):
    """One target. Every pod has its `run_id` as a label, and `sweep` removes them all."""

    options: TargetOptions
    run_id: str

    async def version(self) -> TargetVersion:
        """The target's version."""

    async def ensure_image(self, image: str) -> None:
        """Pull the image if it is missing. It stays, because images are a cache."""

    async def start_pod(self, command: tuple[str, ...] = IDLE_COMMAND) -> StartedPod:
        """Start a pod like the kubelet: its own network, one container."""

    async def add_container(self, pod: StartedPod, name: str) -> StartedContainer:
        """One more container in a pod."""

    async def end_pod(self, pod: StartedPod) -> Mapping[str, float]:
        """Stop and remove the pod without a grace period. Returns the time of each step."""

    async def address(self, pod: StartedPod) -> str:
        """The pod's IP address."""

    async def exec_sync(self, container_id: str) -> None:
        """Run EXEC_COMMAND and wait for its exit code."""

    async def exec_stream(self, container_id: str) -> None:
        """The same through a stream, as `kubectl exec` does."""

    def tunnel(self, pod: StartedPod) -> contextlib.AbstractAsyncContextManager[Tunnel]:
        """Port-forward to the pod, as `kubectl port-forward` does."""

    async def relist(self) -> int:
        """List all pods, then all containers, like the kubelet each second. Returns the number of our pods."""

    async def list_images(self) -> int:
        """List all images. Returns their number."""

    async def pull(self, image: str) -> None:
        """Pull and unpack."""

    async def remove_image(self, image: str) -> None:
        """Remove the image. An absent one succeeds."""

    async def reconnect(self) -> None:
        """Close the connection. The next call opens a new one."""

    async def monitored(self, pods: Sequence[StartedPod]) -> list[str]:
        """Texts in the command lines of these pods' monitors."""

    async def sweep(self) -> None:
        """Remove every pod of this run, including incomplete ones."""

    async def close(self) -> None:
        """Close the connections."""


def new_run_id() -> str:
    """A label that distinguishes the pods of one run from those of another."""
    return secrets.token_hex(4)
