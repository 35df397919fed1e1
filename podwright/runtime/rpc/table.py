"""Which method serves which RPC: the whole API in one place, checked against the descriptors at start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor

from podwright.api.v1 import images_pb2, pulls_pb2, timeline_pb2
from podwright.cri.v1 import api_pb2
from podwright.errors import Internal
from podwright.runtime.rpc.checkpoints import CheckpointRpcs
from podwright.runtime.rpc.containers import ContainerRpcs
from podwright.runtime.rpc.events import EventRpcs
from podwright.runtime.rpc.image_store import ImageStoreRpcs
from podwright.runtime.rpc.images import ImageRpcs
from podwright.runtime.rpc.pulls import PullRpcs
from podwright.runtime.rpc.resources import ResourceRpcs
from podwright.runtime.rpc.runtime import RuntimeRpcs
from podwright.runtime.rpc.sandboxes import SandboxRpcs
from podwright.runtime.rpc.stats import StatsRpcs
from podwright.runtime.rpc.streaming import StreamingRpcs
from podwright.runtime.rpc.timeline import TimelineRpcs

Rpc = Callable[[Any, Any], Any]  # a coroutine function, or an async generator function for a server-streaming RPC
Table = dict[str, Rpc]

SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service
    for file in (api_pb2, images_pb2, pulls_pb2, timeline_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Families:
    """An object for each RPC family."""

    checkpoints: CheckpointRpcs
    containers: ContainerRpcs
    events: EventRpcs
    image_store: ImageStoreRpcs
    images: ImageRpcs
    pulls: PullRpcs
    resources: ResourceRpcs
    runtime: RuntimeRpcs
    sandboxes: SandboxRpcs
    stats: StatsRpcs
    streaming: StreamingRpcs
    timeline: TimelineRpcs


def table(families: Families) -> Table:
    """The method of every RPC, by the RPC's name. Raises Internal if the methods do not match the descriptors."""
    made: Table = {
        "CheckpointContainer": families.checkpoints.CheckpointContainer,
        "CheckpointPod": families.checkpoints.CheckpointPod,
        "RestorePod": families.checkpoints.RestorePod,
        "ContainerStatus": families.containers.ContainerStatus,
        "CreateContainer": families.containers.CreateContainer,
        "ExecSync": families.containers.ExecSync,
        "ListContainers": families.containers.ListContainers,
        "PauseContainer": families.containers.PauseContainer,
        "RemoveContainer": families.containers.RemoveContainer,
        "ReopenContainerLog": families.containers.ReopenContainerLog,
        "StartContainer": families.containers.StartContainer,
        "StopContainer": families.containers.StopContainer,
        "StreamContainers": families.containers.StreamContainers,
        "UnpauseContainer": families.containers.UnpauseContainer,
        "GetContainerEvents": families.events.GetContainerEvents,
        "DiskUsage": families.image_store.DiskUsage,
        "LoadImage": families.image_store.LoadImage,
        "PruneImages": families.image_store.PruneImages,
        "PushImage": families.image_store.PushImage,
        "SaveImage": families.image_store.SaveImage,
        "VerifyImages": families.image_store.VerifyImages,
        "ImageFsInfo": families.images.ImageFsInfo,
        "ImageStatus": families.images.ImageStatus,
        "ListImages": families.images.ListImages,
        "PullImage": families.images.PullImage,
        "RemoveImage": families.images.RemoveImage,
        "StreamImages": families.images.StreamImages,
        "WatchPulls": families.pulls.WatchPulls,
        "UpdateContainerResources": families.resources.UpdateContainerResources,
        "UpdatePodSandboxResources": families.resources.UpdatePodSandboxResources,
        "RuntimeConfig": families.runtime.RuntimeConfig,
        "Status": families.runtime.Status,
        "UpdateRuntimeConfig": families.runtime.UpdateRuntimeConfig,
        "Version": families.runtime.Version,
        "ListPodSandbox": families.sandboxes.ListPodSandbox,
        "PodSandboxStatus": families.sandboxes.PodSandboxStatus,
        "RemovePodSandbox": families.sandboxes.RemovePodSandbox,
        "RunPodSandbox": families.sandboxes.RunPodSandbox,
        "StartPodSandbox": families.sandboxes.StartPodSandbox,
        "StopPodSandbox": families.sandboxes.StopPodSandbox,
        "StreamPodSandboxes": families.sandboxes.StreamPodSandboxes,
        "ContainerStats": families.stats.ContainerStats,
        "ListContainerStats": families.stats.ListContainerStats,
        "ListMetricDescriptors": families.stats.ListMetricDescriptors,
        "ListPodSandboxMetrics": families.stats.ListPodSandboxMetrics,
        "ListPodSandboxStats": families.stats.ListPodSandboxStats,
        "PodSandboxStats": families.stats.PodSandboxStats,
        "StreamContainerStats": families.stats.StreamContainerStats,
        "StreamPodSandboxMetrics": families.stats.StreamPodSandboxMetrics,
        "StreamPodSandboxStats": families.stats.StreamPodSandboxStats,
        "Attach": families.streaming.Attach,
        "Exec": families.streaming.Exec,
        "PortForward": families.streaming.PortForward,
        "ListCalls": families.timeline.ListCalls,
    }
    check(made)
    return made


def check(made: Table) -> None:
    """Raises Internal for an RPC without a method, and for a method without an RPC."""
    known = {method.name for service in SERVICES for method in service.methods}
    if wrong := known.symmetric_difference(made):
        raise Internal(f"RPCs and methods do not agree: {', '.join(sorted(wrong))}")
