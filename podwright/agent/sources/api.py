"""The pods that the API server has bound to this node, and the mirrors of its static pods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from podwright.agent.node.current import CurrentNode
from podwright.k8s.objects import Pod


class PodStore(Protocol):
    """The node's pods, kept by a watch."""

    async def changed(self) -> None:
        """Wait until something has changed since the last call. The first call waits for the whole list."""

    def listed(self) -> tuple[Pod, ...] | None:
        """The pods now. None until they have been listed once."""


class ApiSource:
    """An `engine.PodSource` that follows the pods of this node."""

    def __init__(self, store: PodStore, node: CurrentNode) -> None:
        self._store = store
        self._node = node

    async def sets(self) -> AsyncIterator[list[Pod]]:
        """Yield the complete set after each change, once the node is known: admission needs its labels and taints."""
        await self._node.registered.wait()
        while True:
            await self._store.changed()
            if (pods := self._store.listed()) is not None:
                yield list(pods)
