"""What a suite may ask of a target, whatever is behind it.

Times are in milliseconds, taken inside the target around each call. All methods raise a PodwrightError when the call
fails; Unimplemented when this kind of target has no such thing.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from podwright.bench.options import TargetOptions

LABEL = "podwright.bench"
NAMESPACE = "podwright-bench"
# Ends at once on SIGTERM, as a well-behaved server does; a bare `sleep` as process 1 would wait for SIGKILL.
IDLE_COMMAND = ("sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait")
EXEC_COMMAND = ("true",)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedContainer:
    """A container that runs, and what CreateContainer and StartContainer took."""

    id: str
    steps_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedPod:
    """A pod with one container that runs, and what each step took.

    `context` is whatever the target needs to add to the pod or to end it.
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
        """What the command lines of its monitors mention."""
        return self.id, self.container_id


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetVersion:
    """What the target calls itself."""

    runtime_name: str
    runtime_version: str
    api_version: str


class Tunnel(Protocol):
    """A port-forward session."""

    def connection(self, port: int) -> contextlib.AbstractAsyncContextManager[socket.socket]:
        """A non-blocking socket that leads to a port of the pod."""


class BenchTarget(Protocol):
    """One target. Every pod that it makes carries its `run_id` as a label, and `sweep` removes them all."""

    options: TargetOptions
    run_id: str

    async def version(self) -> TargetVersion:
        """Ask it."""

    async def ensure_image(self, image: str) -> None:
        """Pull the image when it is missing. It stays: images are a cache."""

    async def start_pod(self, command: tuple[str, ...] = IDLE_COMMAND) -> StartedPod:
        """A pod as the kubelet makes it: its own network, one container."""

    async def add_container(self, pod: StartedPod, name: str) -> StartedContainer:
        """One more container in a pod."""

    async def end_pod(self, pod: StartedPod) -> Mapping[str, float]:
        """Stop and remove the pod at once, without a grace period for its containers; what each step took."""

    async def address(self, pod: StartedPod) -> str:
        """The pod's IP address."""

    async def exec_sync(self, container_id: str) -> None:
        """Run EXEC_COMMAND and wait for its exit code."""

    async def exec_stream(self, container_id: str) -> None:
        """The same through a stream, as `kubectl exec` does."""

    def tunnel(self, pod: StartedPod) -> contextlib.AbstractAsyncContextManager[Tunnel]:
        """Port-forward to the pod, as `kubectl port-forward` does."""

    async def relist(self) -> int:
        """List all pods, then all containers, as the kubelet does each second; how many pods of ours there are."""

    async def list_images(self) -> int:
        """List all images; how many there are."""

    async def pull(self, image: str) -> None:
        """Pull and unpack."""

    async def remove_image(self, image: str) -> None:
        """Remove it; nothing happens when there is none."""

    async def reconnect(self) -> None:
        """Forget the connection; the next call makes a new one."""

    async def sweep(self) -> None:
        """Remove every pod of this run, also those whose making was interrupted."""

    async def close(self) -> None:
        """Close the connections."""


def new_run_id() -> str:
    """Tells the pods of one run from those of another."""
    return secrets.token_hex(4)
