"""Which method serves which RPC: the whole API in one place, checked against the descriptors at start.

A method has the name of its RPC.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
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


class Families(msgspec.Struct, frozen=True, kw_only=True):
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
    methods = (*_of_pods(families), *_of_images(families), *_of_the_node(families))
    made = {method.__name__: method for method in methods}
    check(made)
    return made


def check(made: Table) -> None:
    """Raises Internal for an RPC without a method, and for a method without an RPC."""
    known = {method.name for service in SERVICES for method in service.methods}
    if wrong := known.symmetric_difference(made):
        raise Internal(f"RPCs and methods do not agree: {', '.join(sorted(wrong))}")


def _of_pods(families: Families) -> tuple[Rpc, ...]:
    """Those that make, change and use pods and containers."""
    return (
        families.checkpoints.CheckpointContainer,
        families.checkpoints.CheckpointPod,
        families.checkpoints.RestorePod,
        families.containers.ContainerStatus,
        families.containers.CreateContainer,
        families.containers.ExecSync,
        families.containers.ListContainers,
        families.containers.PauseContainer,
        families.containers.RemoveContainer,
        families.containers.ReopenContainerLog,
        families.containers.StartContainer,
        families.containers.StopContainer,
        families.containers.StreamContainers,
        families.containers.UnpauseContainer,
        families.resources.UpdateContainerResources,
        families.resources.UpdatePodSandboxResources,
        families.sandboxes.ListPodSandbox,
        families.sandboxes.PodSandboxStatus,
        families.sandboxes.RemovePodSandbox,
        families.sandboxes.RunPodSandbox,
        families.sandboxes.StartPodSandbox,
        families.sandboxes.StopPodSandbox,
        families.sandboxes.StreamPodSandboxes,
        families.streaming.Attach,
        families.streaming.Exec,
        families.streaming.PortForward,
    )


def _of_images(families: Families) -> tuple[Rpc, ...]:
    """Those of images."""
    return (
        families.image_store.DiskUsage,
        families.image_store.LoadImage,
        families.image_store.PruneImages,
        families.image_store.PushImage,
        families.image_store.SaveImage,
        families.image_store.VerifyImages,
        families.images.ImageFsInfo,
        families.images.ImageStatus,
        families.images.ListImages,
        families.images.PullImage,
        families.images.RemoveImage,
        families.images.StreamImages,
        families.pulls.WatchPulls,
    )


def _of_the_node(families: Families) -> tuple[Rpc, ...]:
    """Those that tell about the daemon, its node, and what runs there."""
    return (
        families.events.GetContainerEvents,
        families.runtime.RuntimeConfig,
        families.runtime.Status,
        families.runtime.UpdateRuntimeConfig,
        families.runtime.Version,
        families.stats.ContainerStats,
        families.stats.ListContainerStats,
        families.stats.ListMetricDescriptors,
        families.stats.ListPodSandboxMetrics,
        families.stats.ListPodSandboxStats,
        families.stats.PodSandboxStats,
        families.stats.StreamContainerStats,
        families.stats.StreamPodSandboxMetrics,
        families.stats.StreamPodSandboxStats,
        families.timeline.ListCalls,
    )
