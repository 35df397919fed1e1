"""The pods that the API server has bound to this node, and the mirrors of its static pods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from podwright.agent.node.current import CurrentNode
from podwright.k8s.objects import Pod


class PodStore(Protocol):
    """The node's pods as a watch keeps them."""

    async def changed(self) -> None:
        """Wait until something has changed since the last call. The first one waits for the whole list."""

    def listed(self) -> tuple[Pod, ...] | None:
        """The pods now. None until they have been listed once."""


class ApiSource:
    """Follows the pods of this node, see `engine.Source`."""

    def __init__(self, store: PodStore, node: CurrentNode) -> None:
        self._store = store
        self._node = node

    async def sets(self) -> AsyncIterator[list[Pod]]:
        """The complete set after each change, once the node is known: pods are admitted by its labels and taints."""
        await self._node.registered.wait()
        while True:
            await self._store.changed()
            if (pods := self._store.listed()) is not None:
                yield list(pods)
