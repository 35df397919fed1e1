"""What volumes need of other rooms, by need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from podwright.agent.clock import Clock
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.objects.protocol import ObjectGetter
from podwright.errors import Unavailable
from podwright.k8s.objects import (
    ClusterTrustBundleProjection,
    ObjectFieldSelector,
    Pod,
    PodCertificateProjection,
    ResourceFieldSelector,
    ServiceAccountTokenProjection,
)


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
        """Certificates in PEM; empty when there are none and that is allowed. Raises PodwrightError."""

    async def certificate(self, pod: Pod, volume: str, projection: PodCertificateProjection) -> tuple[bytes, bytes]:
        """The private key and the certificate chain, both in PEM. Raises PodwrightError."""


class NoApiServer:
    """A `ClusterSources` for an agent without an API server: each source says that it needs one."""

    async def token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> bytes:  # noqa: ARG002 # the port's
        """See ClusterSources."""
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
        projection: PodCertificateProjection,
    ) -> tuple[bytes, bytes]:
        """See ClusterSources."""
        raise _needs_api_server(f"a certificate of signer {projection.signer_name}")


def _needs_api_server(what: str) -> Unavailable:
    return Unavailable(f"{what} needs an API server", hint="start the agent with a kubeconfig, or remove the source")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumePorts:
    """What the volume manager works with. `allocatable_bytes` is the memory that all pods together may use."""

    objects: ObjectGetter
    downward: DownwardApi
    events: EventRecorder
    clock: Clock
    allocatable_bytes: Callable[[], int]
    cluster: ClusterSources
