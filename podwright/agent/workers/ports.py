"""What a pass for a pod needs of other rooms, by need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from podwright.agent.decisions.actions import FindingOf
from podwright.agent.images.ensured import EnsuredImage
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.runtime.records import ObservedPod
from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.objects import Pod, PodStatus


class Images(Protocol):
    """Images that pods run: `images.manager`."""

    async def ensure(
        self, pod: Pod, container: AnyContainer, sandbox_config: api.PodSandboxConfig, handler: str
    ) -> EnsuredImage:
        """Have the container's image at the runtime, as its pull policy says. Raises ContainerFailure."""

    async def ensure_volumes(
        self, pod: Pod, sandbox_config: api.PodSandboxConfig, handler: str
    ) -> dict[str, ContainerFailure]:
        """Have the images of the pod's image volumes at the runtime. The failures by the names of their volumes."""


class Volumes(Protocol):
    """The volumes of pods: `volumes.manager`."""

    async def wait_mounted(self, pod: Pod) -> None:
        """Until every volume that the pod's containers mount is there. Raises PodwrightError."""

    async def release(self, pod: Pod) -> None:
        """Unmount and remove what the pod has. Returns when nothing is left. Raises PodwrightError."""


class Probes(Protocol):
    """The probes of pods: `probes.manager`."""

    def add(self, pod: Pod) -> None:
        """Probe the pod's containers from now on."""

    def remove(self, uid: str) -> None:
        """Stop probing the pod's containers."""

    def stop_liveness_and_startup(self, uid: str) -> None:
        """The pod is to end: only readiness still matters."""

    @property
    def finding_of(self) -> FindingOf:
        """What probes have found of a container instance."""


class Configs(Protocol):
    """CRI's messages of a pod: `configs`."""

    def sandbox(self, pod: Pod, attempt: int) -> api.PodSandboxConfig:
        """What the sandbox is made of. Raises PodwrightError."""

    def addresses(self, pod: Pod, observed: ObservedPod) -> tuple[str, ...]:
        """The pod's addresses, its first one first. The node's for a pod on the node's network."""

    def log_directory(self, pod: Pod) -> str:
        """Where the logs of the pod's containers are."""

    async def resources(self, pod: Pod, container: AnyContainer) -> api.LinuxContainerResources:
        """What a container of this size gets. Raises PodwrightError."""

    async def container(
        self, pod: Pod, container: AnyContainer, image: EnsuredImage, observed: ObservedPod, attempt: int
    ) -> tuple[api.ContainerConfig, Callable[[], Awaitable[None]]]:
        """What a container is made of, and the undoing of what was made ready for it.

        Raises ContainerFailure with reason CreateContainerConfigError.
        """


class StatusKeeper(Protocol):
    """The status of pods: `status.manager`, with its builder."""

    async def build(self, pod: Pod, observed: ObservedPod, *, is_terminal: bool = False) -> PodStatus:
        """The status that follows from what the runtime holds. `is_terminal`: no container runs, or ever will.

        Waits only for termination messages of containers that have ended since.
        """

    def set(self, pod: Pod, status: PodStatus) -> PodStatus:
        """Publish a status, changed where it would go back. Returns the published one."""

    def set_ready_to_start(self, pod: Pod) -> None:
        """The pod's sandbox is there: its containers may start."""

    def refuse(self, pod: Pod, reason: str, message: str) -> None:
        """The pod cannot run on this node: it has failed."""

    def note_failure(self, pod: Pod, failure: ContainerFailure) -> None:
        """A container could not be started: its status says so until it has been."""

    def note_success(self, pod: Pod, container: str) -> None:
        """A container has been started."""

    def terminate(self, pod: Pod) -> None:
        """Nothing of the pod is left: no status may say that something runs."""


class UserRanges(Protocol):
    """Ranges of ids for pods with users of their own: `resources.userns`."""

    def release(self, uid: str) -> None:
        """Release the pod's range. Raises OSError."""


class ObjectRegistry(Protocol):
    """The objects that pods refer to: `objects`."""

    def register(self, pod: Pod) -> None:
        """Keep the pod's objects in memory."""

    def unregister(self, pod: Pod) -> None:
        """The pod needs its objects no longer."""


class PodClaims(Protocol):
    """The ResourceClaims of pods: `resources.claims.manager`."""

    async def prepare(self, pod: Pod) -> None:
        """Have drivers prepare the devices. Called before a sandbox is made. Raises PodwrightError."""

    async def unprepare(self, pod: Pod) -> None:
        """Have drivers undo that: no container of the pod runs any more, or ever will. Raises PodwrightError."""


class NoPodClaims:
    """Without an API server there are none: fulfils Claims."""

    async def prepare(self, pod: Pod) -> None:
        pass

    async def unprepare(self, pod: Pod) -> None:
        pass


class PodMirrors(Protocol):
    """Mirrors of static pods: `mirrors`."""

    async def reconcile(self, pod: Pod, mirror: Pod | None) -> None:
        """Make the mirror what the static pod is. Raises nothing that would stop the pod."""
