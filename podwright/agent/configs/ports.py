"""What the builder needs of other rooms, one interface for each need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from podwright.agent.configs.devices import NOTHING, Allocation, combined
from podwright.agent.configs.namespaces import PodUserNamespace
from podwright.agent.configs.volumes import VolumeContent
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.runtime.records import HandlerFeatures, ImageStatus
from podwright.k8s.objects import Pod, Service


class MountedVolumes(Protocol):
    """The volumes of pods: `volumes.manager`."""

    def mounted(self, uid: str) -> Mapping[str, VolumeContent]:
        """The mounted volumes, by their names in the pod."""


class SubPaths(Protocol):
    """Binds parts of volumes: `volumes.manager`, which unbinds them with the volumes."""

    async def bind_subpath(self, pod: Pod, volume: str, subpath: str, *, container: str, index: int) -> str:
        """Bind a subPath for the container's volume mount number `index`. Returns the path to mount instead.

        A restarted container gets the same path. Raises PodwrightError without details of this machine's files.
        """


class CgroupParents(Protocol):
    """The cgroups of pods: `resources.cgroups`."""

    def parent_of(self, pod: Pod) -> str:
        """CRI's cgroup parent for the pod. Empty if the agent makes no cgroups."""


class PodUserNamespaces(Protocol):
    """Ranges of user ids for pods with a user namespace: `resources.userns`."""

    def of(self, pod: Pod) -> PodUserNamespace:
        """The pod's range, allotted now if it has none yet. Raises PodwrightError."""


class HandlerCapabilities(Protocol):
    """The features of runtime handlers: `runtime.handlers`."""

    def features_of(self, pod: Pod) -> HandlerFeatures | None:
        """The features of the pod's runtime handler. None if the runtime does not report them."""


class Services(Protocol):
    """The services of the cluster."""

    def listed(self) -> tuple[Service, ...] | None:
        """All services, or None until they have been listed once."""


class Allocations(Protocol):
    """The allotments of the managers of devices, CPUs, memory and claims."""

    async def of(self, pod: Pod, container: AnyContainer) -> Allocation:
        """The container's allotments. Called before each start of an instance. Raises PodwrightError."""


class AllAllocations:
    """`Allocations` of several managers as one."""

    def __init__(self, *parts: Allocations) -> None:
        self._parts = parts

    async def of(self, pod: Pod, container: AnyContainer) -> Allocation:
        return combined([await part.of(pod, container) for part in self._parts])


class StartImage(Protocol):
    """A present image: `images.ensured.EnsuredImage`."""

    @property
    def reference(self) -> str:
        """The reference that the container is created with."""

    @property
    def image(self) -> ImageStatus:
        """The runtime's details of the image."""


class NoServices:
    """`Services` without an API server: there are none."""

    def listed(self) -> tuple[Service, ...]:
        return ()


class NoAllocations:
    """`Allocations` without managers: nothing is allotted."""

    async def of(self, pod: Pod, container: AnyContainer) -> Allocation:  # noqa: ARG002 # the protocol's
        return NOTHING
