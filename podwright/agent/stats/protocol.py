"""The interface of this room for others."""

from __future__ import annotations

from typing import Protocol

import msgspec

from podwright.agent.stats.records import Fs, NodeStats, PodStats, Rlimit


class Filesystems(msgspec.Struct, frozen=True, kw_only=True):
    """`node` has the agent's root. `images` and `containers` are the runtime's, None if it reports none.

    `dedicated_containers`: containers' layers are on another filesystem than images. `dedicated_images`: so is one of
    the two, or both, compared with the node's.
    """

    node: Fs
    images: Fs | None = None
    containers: Fs | None = None
    dedicated_images: bool = False
    dedicated_containers: bool = False


class StatsProvider(Protocol):
    """Measures what the node and its pods use. Callers share recent answers, unless they ask for a `fresh` one.

    All methods except `pids` raise PodwrightError if the runtime does not answer, and OSError for failures of the
    host.
    """

    async def node(self, *, fresh: bool = False) -> NodeStats:
        """The node with its filesystems and the parts of the system."""

    async def pods(self, *, fresh: bool = False) -> tuple[PodStats, ...]:
        """All running pods, with their containers, volumes and logs."""

    async def pods_cpu_and_memory(self, *, fresh: bool = False) -> tuple[PodStats, ...]:
        """The same without disk and network."""

    async def node_cpu_and_memory(self) -> NodeStats:
        """The same without disk and network."""

    async def filesystems(self, *, fresh: bool = False) -> Filesystems:
        """The node's filesystems for eviction."""

    def pids(self) -> Rlimit:
        """The process ids of the node. Raises OSError."""
