"""Sources of projected volumes that come from the API server. Implements `volumes.ports.ClusterSources`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from podwright.agent.objects.tokens import PodTokens
from podwright.agent.objects.trust_bundles import TrustBundles
from podwright.errors import NotFound
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import (
    ClusterTrustBundleProjection,
    Pod,
    PodCertificateProjection,
    ServiceAccountTokenProjection,
)


class Certificates(Protocol):
    """Certificates of pods: `pod_certificates`."""

    def certificate(
        self, pod: Pod, volume: str, index: int, projection: PodCertificateProjection
    ) -> tuple[bytes, bytes]:
        """The private key and the certificate chain, both in PEM. Raises PodwrightError."""

    def retain(self, uids: Collection[str]) -> None:
        """Forget the certificates of all pods except these."""

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the UID of each pod whose certificates have changed."""


class ApiProjections:
    """Implements `volumes.ports.ClusterSources`."""

    def __init__(self, server: ApiServer, tokens: PodTokens, certificates: Certificates) -> None:
        self._bundles = TrustBundles(server)
        self._tokens = tokens
        self._certificates = certificates

    async def token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> bytes:
        return await self._tokens.token(pod, projection)

    async def trust_bundle(self, projection: ClusterTrustBundleProjection) -> bytes:
        """See ClusterSources. Bundles of one signer are joined in the order of their certificates."""
        bundles = await self._bundles.texts(projection)
        if not bundles and not projection.optional:
            wanted = projection.name or f"{projection.signer_name} with its labels"
            raise NotFound(f"no ClusterTrustBundle {wanted} was found")
        return _joined(bundles)

    async def certificate(
        self, pod: Pod, volume: str, index: int, projection: PodCertificateProjection
    ) -> tuple[bytes, bytes]:
        return self._certificates.certificate(pod, volume, index, projection)

    def retain(self, uids: Collection[str]) -> None:
        """Forget the tokens and certificates of all pods except these."""
        self._tokens.retain(uids)
        self._certificates.retain(uids)

    def listen(self, listener: Callable[[str], None]) -> None:
        self._certificates.listen(listener)


def _joined(bundles: list[str]) -> bytes:
    """The bundles as one, with every certificate once."""
    end = "-----END CERTIFICATE-----"
    certificates = {f"{part.strip()}\n{end}\n" for text in bundles for part in text.split(end) if part.strip()}
    return "".join(sorted(certificates)).encode()
