"""What workers need of other rooms: one interface for each need, and all that passes need as `SyncerPorts`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from podwright.agent.allocation.resizes import Resizes
from podwright.agent.clock import Clock
from podwright.agent.decisions.actions import FindingOf
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.images.ensured import EnsuredImage
from podwright.agent.metrics.kubelet import KubeletMetrics
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.resources.protocol import Cgroups
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import ObservedPod
from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.objects import Container, HTTPGetAction, Pod, PodStatus


class PodLooks(Protocol):
    """What the runtime shows of pods: `pleg.cache`."""

    def peek(self, uid: str) -> ObservedPod | None:
        """The newest look. None if there was none."""

    async def shown(self, uid: str, is_enough: Callable[[ObservedPod], bool]) -> ObservedPod | None:
        """The newest look if it shows enough, else one that an event brings soon. None if neither shows enough."""

    def named(self, name: str, namespace: str) -> list[ObservedPod]:
        """The newest look at each pod with this name."""

    async def newer_than(self, uid: str, time: float) -> ObservedPod:
        """A look that began after `time`, taken now if there is none. Raises PodwrightError if that fails."""

    async def look(self, uid: str) -> ObservedPod:
        """Look at the pod now. Raises PodwrightError."""


class Images(Protocol):
    """The images of containers and image volumes: `images.manager`."""

    async def ensure(
        self, pod: Pod, container: AnyContainer, sandbox_config: api.PodSandboxConfig, handler: str
    ) -> EnsuredImage:
        """Pull the container's image if its pull policy demands that. Raises ContainerFailure."""

    async def ensure_volumes(
        self, pod: Pod, sandbox_config: api.PodSandboxConfig, handler: str
    ) -> dict[str, ContainerFailure]:
        """Pull the images of the pod's image volumes likewise. Returns the failures by volume name."""


class Volumes(Protocol):
    """The volumes of pods: `volumes.manager`."""

    async def wait_mounted(self, pod: Pod) -> None:
        """Wait until every volume that the pod's containers mount is mounted. Raises PodwrightError."""

    async def release(self, pod: Pod) -> None:
        """Unmount and remove the pod's volumes. Returns when none is left. Raises PodwrightError."""


class Probes(Protocol):
    """The probes of pods: `probes.manager`."""

    def add(self, pod: Pod) -> None:
        """Probe the pod's containers from now on."""

    def remove(self, uid: str) -> None:
        """Stop probing the pod's containers."""

    def stop_liveness_and_startup(self, uid: str) -> None:
        """Stop these probes, because the pod must end. Readiness probes go on."""

    @property
    def finding_of(self) -> FindingOf:
        """The result of the probes of a container instance."""


class Configs(Protocol):
    """Makes CRI's messages for a pod: `configs`."""

    def sandbox(self, pod: Pod, attempt: int) -> api.PodSandboxConfig:
        """The config of a sandbox for the pod. Raises PodwrightError."""

    def addresses(self, pod: Pod, observed: ObservedPod) -> tuple[str, ...]:
        """The pod's addresses, the primary one first. The node's addresses for a pod on the node's network."""

    def log_directory(self, pod: Pod) -> str:
        """The directory of the logs of the pod's containers."""

    async def resources(self, pod: Pod, container: AnyContainer) -> api.LinuxContainerResources:
        """The resources that the runtime is to give the container. Raises PodwrightError."""

    async def container(
        self, pod: Pod, container: AnyContainer, image: EnsuredImage, observed: ObservedPod, attempt: int
    ) -> tuple[api.ContainerConfig, Callable[[], Awaitable[None]]]:
        """The config of a container, and a function that undoes what was prepared for it.

        Raises ContainerFailure with reason CreateContainerConfigError.
        """


class StatusKeeper(Protocol):
    """The status of pods: `status.manager`, with its builder."""

    async def build(self, pod: Pod, observed: ObservedPod, *, is_terminal: bool = False) -> PodStatus:
        """The status that follows from what the runtime holds. `is_terminal`: no container runs or will run.

        Waits only to read termination messages of containers that have just ended.
        """

    def set(self, pod: Pod, status: PodStatus) -> PodStatus:
        """Publish a status, corrected where it may not follow the last one. Returns the published status."""

    def set_ready_to_start(self, pod: Pod) -> None:
        """Note that the pod's sandbox is ready, so that its containers may start."""

    def refuse(self, pod: Pod, reason: str, message: str) -> None:
        """Record that the pod has failed, because it cannot run on this node."""

    def note_failure(self, pod: Pod, failure: ContainerFailure) -> None:
        """Note that a container could not be started. Its status says so until it is started."""

    def note_success(self, pod: Pod, container: str) -> None:
        """Note that a container was started."""

    def terminate(self, pod: Pod) -> None:
        """Note that nothing of the pod is left, so that no status says that something runs."""


class UserRanges(Protocol):
    """Ranges of user ids for pods with a user namespace: `resources.userns`."""

    def release(self, uid: str) -> None:
        """Release the pod's range. Raises OSError."""


class ObjectRegistry(Protocol):
    """The objects that pods refer to: `objects`."""

    def register(self, pod: Pod) -> None:
        """Keep the ConfigMaps and Secrets of the pod in memory."""

    def unregister(self, pod: Pod) -> None:
        """Drop the objects that no other pod needs."""


class PodClaims(Protocol):
    """The ResourceClaims of pods: `resources.claims.manager`."""

    async def prepare(self, pod: Pod) -> None:
        """Have drivers prepare the devices, before a sandbox is created. Raises PodwrightError."""

    async def unprepare(self, pod: Pod) -> None:
        """Have drivers undo `prepare`, after the pod's last container has ended. Raises PodwrightError."""


class NoPodClaims:
    """Implements `PodClaims` without an API server: no pod has claims."""

    async def prepare(self, pod: Pod) -> None:
        pass

    async def unprepare(self, pod: Pod) -> None:
        pass


class PodMirrors(Protocol):
    """Mirrors of static pods: `mirrors`."""

    async def reconcile(self, pod: Pod, mirror: Pod | None) -> None:
        """Create, replace or delete the mirror so that it shows the static pod. Logs failures."""


class HttpGetter(Protocol):
    """Sends the HTTP requests of hooks."""

    async def get(self, action: HTTPGetAction, container: Container, ip: str) -> str:
        """Send the request. Any answer is a success. If the server of an https URL speaks HTTP, send it again by HTTP.

        Returns the host and port if HTTP was used in place of HTTPS, else an empty text. Raises PodwrightError if
        there is no answer.
        """


class SyncerPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the passes of all pods need of other rooms and of the configuration."""

    runtime: CriRuntime
    looks: PodLooks
    statuses: StatusKeeper
    probes: Probes
    images: Images
    configs: Configs
    volumes: Volumes
    cgroups: Cgroups
    objects: ObjectRegistry
    users: UserRanges
    resizes: Resizes
    mirrors: PodMirrors
    http: HttpGetter
    events: EventRecorder
    clock: Clock
    network_problem: Callable[[], str]  # why the network is not ready; empty when it is
    handler_of: Callable[[Pod], str]  # the runtime handler that the pod's RuntimeClass means
    root: str  # the agent's root directory
    links_directory: str  # gets a link to each container's log, see `starting`
    claims: PodClaims = msgspec.field(default_factory=NoPodClaims)
    metrics: KubeletMetrics = msgspec.field(default_factory=KubeletMetrics)
