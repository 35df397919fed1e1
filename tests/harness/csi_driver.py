"""A CSI driver of the tests' own: csi.v1 over a real socket, with real bind mounts, and a registration beside it.

It does what the public hostpath driver does: a volume is a folder, staged and published by bind mounts, or a loop
device. Calls are remembered, may hang or fail, and have to be as the specification demands: else they fail the test by
failing themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import grpc

from podwright.agent.plugins.protocol import CSI_PLUGIN
from podwright.conformance.patience import patient
from podwright.kubelet_grpc import csi_pb2 as csi
from podwright.kubelet_grpc import csi_pb2_grpc, registration_pb2_grpc
from podwright.kubelet_grpc import registration_pb2 as registration
from podwright.linux import detached, mount
from tests.harness.loop_thread import LoopThread

Rpc = csi.NodeServiceCapability.RPC
EVERYTHING = (
    Rpc.STAGE_UNSTAGE_VOLUME,
    Rpc.GET_VOLUME_STATS,
    Rpc.EXPAND_VOLUME,
    Rpc.VOLUME_CONDITION,
    Rpc.SINGLE_NODE_MULTI_WRITER,
)
Result = TypeVar("Result")
DEVICE_BYTES = 4 << 20


class CsiDriver(csi_pb2_grpc.NodeServicer, registration_pb2_grpc.RegistrationServicer):
    """Serves below `folder`, and registers in `registry` while it is entered.

    `calls` are pairs of a method and a volume's handle. `hanging` are methods that do not answer, `failures` what the
    others answer instead: a status and a text, and whether the work was done nevertheless.
    """

    def __init__(self, folder: Path, registry: Path, *, name: str = "host.csi.test") -> None:
        self.name = name
        self.node_id = "this-node"
        self.capabilities: tuple[int, ...] = EVERYTHING
        self.max_volumes = 7
        self.topology = {"topology.csi.test/rack": "r1"}
        self.calls: list[tuple[str, str]] = []
        self.requests: list[Any] = []
        self.hanging: set[str] = set()
        self.failures: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.told: list[registration.RegistrationStatus] = []
        self.data = folder / "data"
        self._folder = folder
        self._socket = folder / "csi.sock"
        self._registration = registry / f"{name}-reg.sock"
        self._registry = registry
        self._server: grpc.aio.Server | None = None
        self.loops: dict[str, str] = {}

    # -- life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        self.clean()

    async def start(self) -> None:
        """Serve and register."""
        self._registry.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        self._server = grpc.aio.server()
        csi_pb2_grpc.add_NodeServicer_to_server(self, self._server)
        registration_pb2_grpc.add_RegistrationServicer_to_server(self, self._server)
        for path in (self._socket, self._registration):
            path.unlink(missing_ok=True)
            self._server.add_insecure_port(f"unix://{path}")
        await self._server.start()

    async def stop(self) -> None:
        """Vanish. What is mounted stays."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None
        for path in (self._socket, self._registration):
            path.unlink(missing_ok=True)

    def clean(self) -> None:
        """Let go of loop devices."""
        for device in self.loops.values():
            subprocess.run(["losetup", "-d", device], check=False, capture_output=True, timeout=patient(60))
        self.loops.clear()

    def count(self, method: str) -> int:
        """How often a method was called."""
        return Counter(each for each, _ in self.calls)[method]

    # -- registration

    async def GetInfo(self, request: registration.InfoRequest, context: Any) -> registration.PluginInfo:  # noqa: N802
        return registration.PluginInfo(
            type=CSI_PLUGIN, name=self.name, endpoint=str(self._socket), supported_versions=["1.0.0"]
        )

    async def NotifyRegistrationStatus(  # noqa: N802
        self, request: registration.RegistrationStatus, context: Any
    ) -> registration.RegistrationStatusResponse:
        self.told.append(request)
        return registration.RegistrationStatusResponse()

    # -- the node service

    async def NodeGetInfo(self, request: csi.NodeGetInfoRequest, context: Any) -> csi.NodeGetInfoResponse:  # noqa: N802
        await self._called("NodeGetInfo", request, context)
        return csi.NodeGetInfoResponse(
            node_id=self.node_id,
            max_volumes_per_node=self.max_volumes,
            accessible_topology=csi.Topology(segments=self.topology),
        )

    async def NodeGetCapabilities(  # noqa: N802
        self, request: csi.NodeGetCapabilitiesRequest, context: Any
    ) -> csi.NodeGetCapabilitiesResponse:
        found = [csi.NodeServiceCapability(rpc=Rpc(type=kind)) for kind in self.capabilities]  # type: ignore[arg-type]
        return csi.NodeGetCapabilitiesResponse(capabilities=found)

    async def NodeStageVolume(  # noqa: N802
        self, request: csi.NodeStageVolumeRequest, context: Any
    ) -> csi.NodeStageVolumeResponse:
        await self._called("NodeStageVolume", request, context)
        if not os.path.isdir(request.staging_target_path):
            await _refuse(context, "the staging path is not there")
        if not request.volume_capability.HasField("block"):
            _bind(self.folder(request.volume_id), request.staging_target_path)
        await self._fail_late("NodeStageVolume", context)
        return csi.NodeStageVolumeResponse()

    async def NodeUnstageVolume(  # noqa: N802
        self, request: csi.NodeUnstageVolumeRequest, context: Any
    ) -> csi.NodeUnstageVolumeResponse:
        await self._called("NodeUnstageVolume", request, context)
        if published := [each.target for each in mount.read_mounts() if self._is_of(each, request.volume_id)]:
            others = [path for path in published if path != request.staging_target_path]
            if others:
                await _refuse(context, f"still published: {others}")
        detached.detach(request.staging_target_path)
        return csi.NodeUnstageVolumeResponse()

    async def NodePublishVolume(  # noqa: N802
        self, request: csi.NodePublishVolumeRequest, context: Any
    ) -> csi.NodePublishVolumeResponse:
        await self._called("NodePublishVolume", request, context)
        if not os.path.isdir(os.path.dirname(request.target_path)):
            await _refuse(context, "the target's parent is not there")
        if request.volume_capability.HasField("block"):
            if not os.path.lexists(request.target_path):
                os.symlink(self.device(request.volume_id), request.target_path)
        else:
            source = request.staging_target_path or str(self.folder(request.volume_id))
            os.makedirs(request.target_path, exist_ok=True)
            _bind(Path(source), request.target_path)
        await self._fail_late("NodePublishVolume", context)
        return csi.NodePublishVolumeResponse()

    async def NodeUnpublishVolume(  # noqa: N802
        self, request: csi.NodeUnpublishVolumeRequest, context: Any
    ) -> csi.NodeUnpublishVolumeResponse:
        await self._called("NodeUnpublishVolume", request, context)
        detached.detach(request.target_path)
        if os.path.islink(request.target_path):
            os.unlink(request.target_path)
        elif os.path.isdir(request.target_path):
            os.rmdir(request.target_path)
        return csi.NodeUnpublishVolumeResponse()

    async def NodeGetVolumeStats(  # noqa: N802
        self, request: csi.NodeGetVolumeStatsRequest, context: Any
    ) -> csi.NodeGetVolumeStatsResponse:
        await self._called("NodeGetVolumeStats", request, context)
        units = csi.VolumeUsage
        return csi.NodeGetVolumeStatsResponse(
            usage=[
                csi.VolumeUsage(total=1000, used=400, available=600, unit=units.BYTES),
                csi.VolumeUsage(total=10, used=4, available=6, unit=units.INODES),
            ],
            volume_condition=csi.VolumeCondition(abnormal=True, message="a cable is loose"),
        )

    async def NodeExpandVolume(  # noqa: N802
        self, request: csi.NodeExpandVolumeRequest, context: Any
    ) -> csi.NodeExpandVolumeResponse:
        await self._called("NodeExpandVolume", request, context)
        return csi.NodeExpandVolumeResponse(capacity_bytes=request.capacity_range.required_bytes)

    # -- what it stands on

    def folder(self, handle: str) -> Path:
        """The directory of a volume's data, made if it is missing."""
        path = self.data / handle.replace("/", "_")
        path.mkdir(exist_ok=True)
        return path

    def device(self, handle: str) -> str:
        """A loop device for a volume."""
        if handle not in self.loops:
            file = self.data / f"{handle}.img"
            with file.open("wb") as disk:
                disk.truncate(DEVICE_BYTES)
            found = subprocess.run(
                ["losetup", "-f", "--show", str(file)], check=True, capture_output=True, text=True, timeout=patient(60)
            )
            self.loops[handle] = found.stdout.strip()
        return self.loops[handle]

    def _is_of(self, point: mount.MountPoint, handle: str) -> bool:
        """Whether it shows the volume. A mount's root is a path of its own file system: the end of ours."""
        source = f"/{self.data.name}/{handle.replace('/', '_')}"
        return point.root.endswith(source) and str(self.folder(handle)).endswith(point.root)

    async def _called(self, method: str, request: Any, context: Any) -> None:
        self.calls.append((method, getattr(request, "volume_id", "")))
        self.requests.append(request)
        if method in self.hanging:
            await asyncio.sleep(3600)
        if method in self.failures and not self.failures[method][1].startswith("late"):
            code, text = self.failures[method]
            await context.abort(code, text)

    async def _fail_late(self, method: str, context: Any) -> None:
        """Fail after the work was done."""
        if method in self.failures:
            code, text = self.failures[method]
            await context.abort(code, text)


class CsiDriverThread(LoopThread[CsiDriver]):
    """A driver in a thread of its own, for tests that wait and are not asyncio's."""

    def __init__(self, folder: Path, registry: Path) -> None:
        super().__init__("csi driver")
        self.driver = CsiDriver(folder, registry)

    def start(self) -> None:
        """Serve and register."""
        self._run(self.driver.start)

    def stop(self) -> None:
        """Vanish."""
        self._run(self.driver.stop)

    def served(self) -> CsiDriver:
        return self.driver

    def _end(self) -> None:
        self.driver.clean()
        super()._end()


def _bind(source: Path, target: str) -> None:
    if not any(point.target == target for point in mount.read_mounts()):
        mount.bind(str(source), target)


async def _refuse(context: Any, why: str) -> NoReturn:
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, why)
    raise AssertionError


@contextlib.contextmanager
def loop_device(file: Path, size_bytes: int) -> Iterator[str]:
    """A block device on a file."""
    with file.open("wb") as disk:
        disk.truncate(size_bytes)
    found = subprocess.run(
        ["losetup", "-f", "--show", str(file)], check=True, capture_output=True, text=True, timeout=patient(60)
    )
    device = found.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=False, capture_output=True, timeout=patient(60))
