"""Reads ClusterTrustBundles in the API server's newest version. Servers of 1.36 have them as beta, if at all."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from podwright.agent.objects.versions import NewestVersion
from podwright.errors import FailedPrecondition, NotFound
from podwright.k8s.client.protocol import ApiServer, Selection
from podwright.k8s.objects import ClusterTrustBundle, ClusterTrustBundleProjection
from podwright.k8s.selectors import from_label_selector


class BetaTrustBundle(ClusterTrustBundle, frozen=True, kw_only=True):
    """The same in v1beta1."""

    API_VERSION: ClassVar[str] = "certificates.k8s.io/v1beta1"


class AlphaTrustBundle(ClusterTrustBundle, frozen=True, kw_only=True):
    """The same in v1alpha1."""

    API_VERSION: ClassVar[str] = "certificates.k8s.io/v1alpha1"


VERSIONS: tuple[type[ClusterTrustBundle], ...] = (ClusterTrustBundle, BetaTrustBundle, AlphaTrustBundle)


class TrustBundles:
    """Reads the bundles."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._version = NewestVersion(server, VERSIONS, "ClusterTrustBundles", "ClusterTrustBundle")

    async def texts(self, projection: ClusterTrustBundleProjection) -> list[str]:
        """The bundles of a projection, in PEM. May be empty. Raises PodwrightError."""
        if not projection.name and not projection.signer_name:
            raise FailedPrecondition("clusterTrustBundle needs a name or a signerName")
        version = await self._version.find()
        if projection.name:
            with contextlib.suppress(NotFound):
                return [(await self._server.get(version, projection.name)).spec.trust_bundle]
            return []
        selector = from_label_selector(projection.label_selector)
        if selector.nothing:
            return []
        selection = Selection(labels=str(selector), fields=f"spec.signerName={projection.signer_name}")
        return [each.spec.trust_bundle for each in (await self._server.list(version, selection)).items]
