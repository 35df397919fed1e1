"""The Node object as this agent knows it: its own until an API server has one, and then the API server's newest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from podwright.k8s.objects import Node


class CurrentNode:
    """Holds one value for whoever asks."""

    def __init__(self, node: Node) -> None:
        """`node` is what this agent would register."""
        self.node = node
        self.registered = asyncio.Event()
        self._change = asyncio.Event()

    def take(self, node: Node) -> None:
        """The API server's newest version."""
        self.node = node
        self.registered.set()
        changed, self._change = self._change, asyncio.Event()
        changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition on the node holds."""
        while not holds():
            await self._change.wait()

    @property
    def is_registered(self) -> bool:
        """Whether the API server has the node."""
        return self.registered.is_set()
