"""Attached volumes according to the Node object. Implements `volumes.ports.NodeVolumes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from podwright.agent.node.current import CurrentNode


class ClusterNodeVolumes:
    """See NodeVolumes.

    The attach/detach controller of the cluster attaches the volumes that pods of this node need.
    """

    def __init__(self, node: CurrentNode, look_again: Callable[[], None]) -> None:
        """`look_again` lets the node's status be written soon."""
        self._node = node
        self._look_again = look_again

    @property
    def name(self) -> str:
        return self._node.node.metadata.name

    @property
    def labels(self) -> Mapping[str, str]:
        return self._node.node.metadata.labels

    def use_changed(self) -> None:
        self._look_again()

    async def until_attached(self, volume: str) -> None:
        """See NodeVolumes.

        Waits for "in use" first, else the controller could detach the volume while it is mounted.
        """
        await self._node.until(lambda: self._has(volume))

    def _has(self, volume: str) -> bool:
        status = self._node.node.status
        return volume in status.volumes_in_use and any(each.name == volume for each in status.volumes_attached)
