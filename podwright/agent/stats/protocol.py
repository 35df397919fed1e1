"""The interface of this room."""

from __future__ import annotations

from typing import Protocol

import msgspec

from podwright.agent.stats.records import Fs, NodeStats, PodStats, Rlimit


class Filesystems(msgspec.Struct, frozen=True, kw_only=True):
    """`node` is where the agent's root is. `images` and `containers` are the runtime's, None when it reports none.

    `dedicated_images` and `dedicated_containers`: whether these are other filesystems than the one above them.
    """

    node: Fs
    images: Fs | None = None
    containers: Fs | None = None
    dedicated_images: bool = False
    dedicated_containers: bool = False


class StatsProvider(Protocol):
    """What the node and its pods use. Recent answers are shared. `fresh` measures anew.

    All methods but `pids` raise PodwrightError when the runtime does not answer, and OSError when the host does not.
    """

    async def node(self, *, fresh: bool = False) -> NodeStats:
        """The node with its filesystems and the parts of the system."""

    async def pods(self, *, fresh: bool = False) -> tuple[PodStats, ...]:
        """All pods that run, with their containers, volumes and logs."""

    async def pods_cpu_and_memory(self, *, fresh: bool = False) -> tuple[PodStats, ...]:
        """The same without disk and network."""

    async def node_cpu_and_memory(self) -> NodeStats:
        """The same without disk and network."""

    async def filesystems(self, *, fresh: bool = False) -> Filesystems:
        """The node's filesystems, as eviction distinguishes them."""

    def pids(self) -> Rlimit:
        """Process ids of the node. Raises OSError."""
