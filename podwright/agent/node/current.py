"""The newest Node object: the agent's own until the API server has one, then the API server's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from podwright.k8s.objects import Node


class CurrentNode:
    """Holds the newest Node object."""

    def __init__(self, node: Node) -> None:
        """`node` is the object that this agent would register."""
        self.node = node
        self.registered = asyncio.Event()
        self._change = asyncio.Event()

    def take(self, node: Node) -> None:
        """Store the API server's newest version."""
        self.node = node
        self.registered.set()
        changed, self._change = self._change, asyncio.Event()
        changed.set()

    async def changed(self) -> None:
        """Wait for the next version."""
        await self._change.wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition on the node holds."""
        while not holds():
            await self.changed()

    @property
    def is_registered(self) -> bool:
        """Whether the API server has the node."""
        return self.registered.is_set()
