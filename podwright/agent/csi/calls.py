"""The calls of a CSI driver's node service. The only module of this room that knows protobuf.

As in a kubelet, every call has its own connection, so that a restarted driver answers at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import grpc

from podwright.agent.clock import Clock
from podwright.agent.csi.values import (
    Amounts,
    Capabilities,
    CsiFailed,
    DriverCapability,
    NodeInfo,
    VolumeAccess,
    VolumeCall,
    VolumeStats,
)
from podwright.agent.metrics.volumes import VolumeMetrics
from podwright.agent.plugins.connection import PluginChannel
from podwright.agent.plugins.timing import timed_call
from podwright.kubelet_grpc import csi_pb2 as csi
from podwright.kubelet_grpc import csi_pb2_grpc

if TYPE_CHECKING:
    from podwright.kubelet_grpc.csi_pb2_grpc import NodeAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")

SERVICE = "/csi.v1.Node"
CALL_TIMEOUT_S = 120.0  # the kubelet's
STATS_TIMEOUT_S = 10.0
_Mode = csi.VolumeCapability.AccessMode
_MODES = {
    "ReadWriteOnce": _Mode.SINGLE_NODE_WRITER,
    "ReadWriteOncePod": _Mode.SINGLE_NODE_WRITER,
    "ReadOnlyMany": _Mode.MULTI_NODE_READER_ONLY,
    "ReadWriteMany": _Mode.MULTI_NODE_MULTI_WRITER,
}
# The access modes of drivers that distinguish one writer on a node from several.
_FINER_MODES = {
    **_MODES,
    "ReadWriteOnce": _Mode.SINGLE_NODE_MULTI_WRITER,
    "ReadWriteOncePod": _Mode.SINGLE_NODE_SINGLE_WRITER,
}
_CAPABILITIES = {each.value: each for each in DriverCapability}


class CsiNode:
    """One driver. Calls raise CsiFailed."""

    def __init__(self, name: str, endpoint: str, clock: Clock, metrics: VolumeMetrics) -> None:
        """`endpoint` is the path of its socket. Raises InvalidArgument for what cannot be one."""
        self.endpoint = endpoint
        self._name = name
        self._clock = clock
        self._metrics = metrics
        PluginChannel.check(endpoint)

    async def info(self) -> NodeInfo:
        """The driver's facts about this node, such as its name for it."""
        async with self._stub() as node:
            answer = await self._call(node.NodeGetInfo, csi.NodeGetInfoRequest())
        return NodeInfo(
            node_id=answer.node_id,
            max_volumes=answer.max_volumes_per_node,
            topology=dict(answer.accessible_topology.segments),
        )

    async def capabilities(self, timeout_s: float = CALL_TIMEOUT_S) -> Capabilities:
        """The driver's capabilities, without unknown ones."""
        async with self._stub() as node:
            answer = await self._call(node.NodeGetCapabilities, csi.NodeGetCapabilitiesRequest(), timeout_s)
        kinds = (each.rpc.type for each in answer.capabilities)
        return frozenset(_CAPABILITIES[kind] for kind in kinds if kind in _CAPABILITIES)

    async def stage(self, call: VolumeCall, path: str, can: Capabilities) -> None:
        """Stage the volume for the node at a directory."""
        request = csi.NodeStageVolumeRequest(
            volume_id=call.handle,
            publish_context=call.publish_context,
            staging_target_path=path,
            volume_capability=_capability(call.access, can),
            secrets=call.secrets,
            volume_context=call.attributes,
        )
        async with self._stub() as node:
            await self._call(node.NodeStageVolume, request)

    async def unstage(self, handle: str, path: str) -> None:
        """Undo it."""
        request = csi.NodeUnstageVolumeRequest(volume_id=handle, staging_target_path=path)
        async with self._stub() as node:
            await self._call(node.NodeUnstageVolume, request)

    async def publish(
        self, call: VolumeCall, target: str, can: Capabilities, *, staged: str = "", read_only: bool = False
    ) -> None:
        """Publish the volume at a pod's path. `staged` is where it is staged, empty for drivers that do not stage."""
        request = csi.NodePublishVolumeRequest(
            volume_id=call.handle,
            publish_context=call.publish_context,
            staging_target_path=staged,
            target_path=target,
            volume_capability=_capability(call.access, can),
            readonly=read_only,
            secrets=call.secrets,
            volume_context=call.attributes,
        )
        async with self._stub() as node:
            await self._call(node.NodePublishVolume, request)

    async def unpublish(self, handle: str, target: str) -> None:
        """Undo it."""
        request = csi.NodeUnpublishVolumeRequest(volume_id=handle, target_path=target)
        async with self._stub() as node:
            await self._call(node.NodeUnpublishVolume, request)

    async def expand(self, call: VolumeCall, path: str, size_bytes: int, can: Capabilities, *, staged: str) -> None:
        """Grow the filesystem at `path` to the volume's size."""
        request = csi.NodeExpandVolumeRequest(
            volume_id=call.handle,
            volume_path=path,
            capacity_range=csi.CapacityRange(required_bytes=size_bytes),
            staging_target_path=staged,
            volume_capability=_capability(call.access, can),
            secrets=call.secrets,
        )
        async with self._stub() as node:
            await self._call(node.NodeExpandVolume, request)

    async def stats(self, handle: str, path: str) -> VolumeStats | None:
        """The volume's usage. None if the driver does not report it."""
        can = await self.capabilities(STATS_TIMEOUT_S)
        if DriverCapability.GET_VOLUME_STATS not in can:
            return None
        request = csi.NodeGetVolumeStatsRequest(volume_id=handle, volume_path=path)
        async with self._stub() as node:
            answer = await self._call(node.NodeGetVolumeStats, request, STATS_TIMEOUT_S)
        amounts = {
            each.unit: Amounts(total=each.total, available=each.available, used=each.used) for each in answer.usage
        }
        condition = answer.volume_condition
        return VolumeStats(
            bytes=amounts.get(csi.VolumeUsage.BYTES),
            inodes=amounts.get(csi.VolumeUsage.INODES),
            problem=(condition.message or "abnormal" if condition.abnormal else "")
            if DriverCapability.VOLUME_CONDITION in can
            else None,
        )

    @asynccontextmanager
    async def _stub(self) -> AsyncIterator[NodeAsyncStub]:
        connection = PluginChannel(self.endpoint)
        try:
            yield csi_pb2_grpc.NodeStub(connection.channel)
        finally:
            await connection.close()

    async def _call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Response:
        def observe(took_s: float, code: str) -> None:
            name = f"{SERVICE}/{type(request).__name__.removesuffix('Request')}"
            self._metrics.driver_calls.observe(took_s, self._name, name, code, "false")

        try:
            with timed_call(self._clock, observe):
                return await method(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as failure:
            raise CsiFailed(failure.code().name, failure.details() or "") from failure


def _capability(access: VolumeAccess, can: Capabilities) -> csi.VolumeCapability:
    modes = _FINER_MODES if DriverCapability.SINGLE_NODE_MULTI_WRITER in can else _MODES
    mode = csi.VolumeCapability.AccessMode(mode=modes.get(access.mode, _Mode.UNKNOWN))
    if access.is_block:
        return csi.VolumeCapability(access_mode=mode, block=csi.VolumeCapability.BlockVolume())
    mount = csi.VolumeCapability.MountVolume(
        fs_type=access.fs_type,
        mount_flags=access.flags,
        volume_mount_group="" if access.group is None else str(access.group),
    )
    return csi.VolumeCapability(access_mode=mode, mount=mount)
