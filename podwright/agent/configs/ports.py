"""What the builder needs of other rooms, by need."""

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
        """Those that are ready, by their names in the pod."""


class SubPaths(Protocol):
    """Binding parts of volumes: `volumes.manager`, which unbinds them with the volumes."""

    async def bind_subpath(self, pod: Pod, volume: str, subpath: str, *, container: str, index: int) -> str:
        """Bind a subPath for the container's volume mount number `index`. Returns the path to mount instead.

        A restarted container gets the same one. Raises PodwrightError without details of this machine's files.
        """


class CgroupParents(Protocol):
    """The cgroups of pods: `resources.cgroups`."""

    def parent_of(self, pod: Pod) -> str:
        """The pod's cgroup parent for CRI, empty when the agent makes no cgroups."""


class PodUserNamespaces(Protocol):
    """Ranges of ids for pods with users of their own: `resources.userns`."""

    def of(self, pod: Pod) -> PodUserNamespace:
        """The pod's range, allotted when it has none yet. Raises PodwrightError."""


class HandlerCapabilities(Protocol):
    """What the runtime handlers can do."""

    def features_of(self, pod: Pod) -> HandlerFeatures | None:
        """The features of the pod's runtime handler, or None when the runtime does not report any."""


class Services(Protocol):
    """The services of the cluster."""

    def listed(self) -> tuple[Service, ...] | None:
        """All services, or None until they have been listed once."""


class Allocations(Protocol):
    """What managers of devices and CPUs have allotted."""

    async def of(self, pod: Pod, container: AnyContainer) -> Allocation:
        """What the container gets. Asked before each start of an instance. Raises PodwrightError."""


class AllAllocations:
    """What several managers have allotted, together. Fulfils Allocations."""

    def __init__(self, *parts: Allocations) -> None:
        self._parts = parts

    async def of(self, pod: Pod, container: AnyContainer) -> Allocation:
        return combined([await part.of(pod, container) for part in self._parts])


class StartImage(Protocol):
    """An image that is there: `workers.ports.EnsuredImage`."""

    @property
    def reference(self) -> str:
        """What the container is made of."""

    @property
    def image(self) -> ImageStatus:
        """What the runtime says about it."""


class NoServices:
    """Without an API server there are none."""

    def listed(self) -> tuple[Service, ...]:
        return ()


class NoAllocations:
    """Without managers nothing is allotted."""

    async def of(self, pod: Pod, container: AnyContainer) -> Allocation:  # noqa: ARG002 # the protocol's
        return NOTHING
