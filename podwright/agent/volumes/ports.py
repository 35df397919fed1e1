"""What volumes need of other rooms, one interface for each need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.csi.drivers import CsiDrivers, NoCluster
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.volumes import VolumeMetrics
from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.volumes.storage.selinux_mounts import SelinuxMounts
from podwright.errors import Unavailable
from podwright.k8s.objects import (
    ClusterTrustBundleProjection,
    CSIDriver,
    ObjectFieldSelector,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodCertificateProjection,
    ResourceFieldSelector,
    ServiceAccountTokenProjection,
    StorageTokenRequest,
    VolumeAttachment,
)
from podwright.process import PosixProcessRunner, ProcessRunner


class DownwardApi(Protocol):
    """Fields of a pod as text: `configs.downward`."""

    def field_text(self, pod: Pod, reference: ObjectFieldSelector) -> str:
        """The value of a field. Raises PodwrightError for one that the API does not know."""

    def resource_text(self, pod: Pod, reference: ResourceFieldSelector) -> str:
        """A request or limit of the container that `reference` names. Raises PodwrightError."""


class ClusterSources(Protocol):
    """Sources of projected volumes that come from the API server."""

    async def token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> bytes:
        """A token of the pod's service account. Raises PodwrightError."""

    async def trust_bundle(self, projection: ClusterTrustBundleProjection) -> bytes:
        """Certificates in PEM. Empty when there are none and that is allowed. Raises PodwrightError."""

    async def certificate(
        self, pod: Pod, volume: str, index: int, projection: PodCertificateProjection
    ) -> tuple[bytes, bytes]:
        """The private key and the certificate chain of source number `index` in PEM. Raises PodwrightError."""

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the UID of each pod whose certificates have changed."""


class NoClusterSources:
    """The `ClusterSources` of an agent without an API server: each call raises an error that says so."""

    async def token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> bytes:  # noqa: ARG002 # the port's
        raise _needs_api_server(f"the token of service account {pod.spec.service_account_name or 'default'}")

    async def trust_bundle(self, projection: ClusterTrustBundleProjection) -> bytes:
        """See ClusterSources. An optional bundle is empty."""
        if projection.optional:
            return b""
        raise _needs_api_server(f"clusterTrustBundle {projection.name or projection.signer_name}")

    async def certificate(
        self,
        pod: Pod,  # noqa: ARG002 # the port's
        volume: str,  # noqa: ARG002 # the port's
        index: int,  # noqa: ARG002 # the port's
        projection: PodCertificateProjection,
    ) -> tuple[bytes, bytes]:
        raise _needs_api_server(f"a certificate of signer {projection.signer_name}")

    def listen(self, listener: Callable[[str], None]) -> None:
        """See ClusterSources. There are no certificates."""


class ClusterStorage(Protocol):
    """The API's storage objects. All calls may raise PodwrightError."""

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim:
        """A claim as it is now."""

    async def volume(self, name: str) -> PersistentVolume:
        """A PersistentVolume as it is now."""

    async def attachment(self, name: str) -> VolumeAttachment:
        """A VolumeAttachment as it is now."""

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        """The content of a secret for a driver."""

    def csi_driver(self, name: str) -> CSIDriver | None:
        """The CSIDriver of a driver, or None. Raises Unavailable until CSIDrivers are known."""

    async def tokens(self, pod: Pod, requests: Sequence[StorageTokenRequest]) -> dict[str, dict[str, str]]:
        """Tokens of the pod's service account by audience, each as the API's TokenRequestStatus."""

    async def change_claim_status(self, claim: PersistentVolumeClaim, status: dict[str, Any]) -> PersistentVolumeClaim:
        """Change parts of a claim's status. Returns the changed claim."""


class NoClusterStorage:
    """The `ClusterStorage` of an agent without an API server."""

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim:
        raise _needs_api_server(f"the claim {namespace}/{name}")

    async def volume(self, name: str) -> PersistentVolume:
        raise _needs_api_server(f"the PersistentVolume {name}")

    async def attachment(self, name: str) -> VolumeAttachment:
        raise _needs_api_server(f"the VolumeAttachment {name}")

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        raise _needs_api_server(f"the secret {namespace}/{name}")

    def csi_driver(self, name: str) -> CSIDriver | None:
        raise _needs_api_server(f"a volume of the CSI driver {name}")

    async def tokens(self, pod: Pod, requests: Sequence[StorageTokenRequest]) -> dict[str, dict[str, str]]:  # noqa: ARG002 # the port's
        raise _needs_api_server(f"the token of service account {pod.spec.service_account_name or 'default'}")

    async def change_claim_status(self, claim: PersistentVolumeClaim, status: dict[str, Any]) -> PersistentVolumeClaim:  # noqa: ARG002 # the port's
        raise _needs_api_server(f"the claim {claim.metadata.namespace}/{claim.metadata.name}")


class NodeVolumes(Protocol):
    """Attached volumes according to the Node object: `node.volumes`."""

    @property
    def name(self) -> str:
        """The node's name."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The node's labels."""

    def use_changed(self) -> None:
        """Let the node's status be updated soon, because other volumes are in use."""

    async def until_attached(self, volume: str) -> None:
        """Wait until the node's status says that the volume is in use and attached (by its unique name)."""


class LoneNode:
    """The `NodeVolumes` of an agent without an API server."""

    name = ""
    labels: Mapping[str, str] = {}  # never changed

    def use_changed(self) -> None:
        pass

    async def until_attached(self, volume: str) -> None:
        pass


def _needs_api_server(what: str) -> Unavailable:
    return Unavailable(f"{what} needs an API server", hint="start the agent with a kubeconfig, or remove the source")


class VolumePorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the volume manager needs of other rooms.

    `allocatable_bytes` is the memory that all pods together may use.
    """

    objects: ObjectGetter
    downward: DownwardApi
    events: EventRecorder
    clock: Clock
    allocatable_bytes: Callable[[], int]
    cluster: ClusterSources
    storage: ClusterStorage = msgspec.field(default_factory=NoClusterStorage)
    node: NodeVolumes = msgspec.field(default_factory=LoneNode)
    drivers: CsiDrivers = msgspec.field(default_factory=lambda: CsiDrivers(NoCluster()))
    runner: ProcessRunner = msgspec.field(default_factory=PosixProcessRunner)
    selinux: SelinuxMounts = msgspec.field(default_factory=SelinuxMounts)
    metrics: VolumeMetrics = msgspec.field(default_factory=VolumeMetrics)
