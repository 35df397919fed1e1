"""Writes the CSI drivers of this node to the cluster: labels and an annotation of the Node, and the CSINode."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from podwright.agent.csi import node_object
from podwright.agent.csi.values import NodeInfo
from podwright.agent.node.current import CurrentNode
from podwright.errors import AlreadyExists, FailedPrecondition, NotFound, PodwrightError, Unavailable
from podwright.k8s.client.patch import strategic
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import CSINode, Node

log = logging.getLogger(__name__)

TRIES, PAUSE_S = 6, 0.1
REGISTERED_WAIT_S = 30.0
LONGEST_PAUSE_S = 10.0


class CsiNodeInfo:
    """Makes one change at a time."""

    def __init__(self, server: ApiServer, node: CurrentNode) -> None:
        self._server = server
        self._node = node
        self._turn = asyncio.Lock()
        self.problem = "CSINode is not yet initialized"  # why the node is not ready; empty if it is

    async def run(self) -> None:
        """Create the CSINode once the node is registered.

        For the scheduler a node without one has no drivers.
        """
        await self._node.registered.wait()
        pause_s = PAUSE_S
        while True:
            try:
                await self._insist(self._initialize)
            except PodwrightError as failure:
                self.problem = f"failed to initialize CSINode: {failure}"
                log.warning("the CSINode is not there yet: error=%s", failure)
            else:
                self.problem = ""
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def install(self, driver: str, info: NodeInfo) -> None:
        """Show a driver. Raises PodwrightError."""
        await self._registered()
        await self._insist(lambda: self._change_node(driver, info))
        await self._insist(lambda: self._change_csi_node(driver, info))

    async def uninstall(self, driver: str) -> None:
        """Remove a driver. Its labels stay, because its volumes may. Raises PodwrightError."""
        await self._insist(lambda: self._change_csi_node(driver, None))
        await self._insist(lambda: self._change_node(driver, None))

    async def _registered(self) -> None:
        try:
            async with asyncio.timeout(REGISTERED_WAIT_S):
                await self._node.registered.wait()
        except TimeoutError as failure:
            raise Unavailable("the node is not registered yet", hint="the API server has not answered") from failure

    async def _insist(self, change: Callable[[], Awaitable[None]]) -> None:
        """Repeat a change after conflicts, because others change the same objects."""
        for attempt in range(TRIES):
            try:
                async with self._turn:
                    await change()
            except (FailedPrecondition, AlreadyExists, NotFound):
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(PAUSE_S * 2**attempt)
            else:
                return

    async def _change_node(self, driver: str, info: NodeInfo | None) -> None:
        node = await self._server.get(Node, self._node.node.metadata.name)
        body = node_object.node_patch(node, driver, info)
        if body:
            self._node.take(await self._server.patch(Node, node.metadata.name, strategic(body)))

    async def _initialize(self) -> None:
        await self._own()

    async def _change_csi_node(self, driver: str, info: NodeInfo | None) -> None:
        before = await self._own()
        if info is None:
            after = node_object.without_driver(before, driver)
        else:
            after = node_object.with_driver(before, driver, info)
        if not node_object.is_same(before, after):
            await self._server.update(after)

    async def _own(self) -> CSINode:
        """The node's CSINode, created if it is missing. Deletes that of an earlier node with this name."""
        node = self._node.node
        try:
            found = await self._server.get(CSINode, node.metadata.name)
        except NotFound:
            return await self._server.create(node_object.new_csi_node(node))
        if node_object.is_owned(found, node):
            return found
        await self._server.delete(CSINode, node.metadata.name)
        return await self._server.create(node_object.new_csi_node(node))
