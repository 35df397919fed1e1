"""Reads and writes the API's storage objects. Implements `volumes.ports.ClusterStorage`.

A node may list and watch CSIDrivers, but only get claims, PersistentVolumes and attachments. So these are read when
they are needed, as by a kubelet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from podwright.agent.objects.tokens import PodTokens
from podwright.errors import NotFound, Unavailable
from podwright.k8s.client.failures import ApiNotFound
from podwright.k8s.client.patch import strategic
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import (
    CSIDriver,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Secret,
    ServiceAccountTokenProjection,
    StorageTokenRequest,
    VolumeAttachment,
)
from podwright.k8s.times import format_time

STATUS = "status"


@contextlib.contextmanager
def _in_its_words() -> Iterator[None]:
    """Keep the API server's own message for a missing object, because events of pods show it."""
    try:
        yield
    except ApiNotFound as failure:
        raise NotFound(failure.status.message) from failure


class CsiDriverStore(Protocol):
    """The CSIDrivers, kept by a watch."""

    def listed(self) -> tuple[CSIDriver, ...] | None:
        """All CSIDrivers. None until they have been listed once."""


class ApiStorage:
    """See `ClusterStorage`. All calls may raise PodwrightError."""

    def __init__(self, server: ApiServer, drivers: CsiDriverStore, tokens: PodTokens) -> None:
        self._server = server
        self._drivers = drivers
        self._tokens = tokens

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim:
        with _in_its_words():
            return await self._server.get(PersistentVolumeClaim, name, namespace=namespace)

    async def volume(self, name: str) -> PersistentVolume:
        with _in_its_words():
            return await self._server.get(PersistentVolume, name)

    async def attachment(self, name: str) -> VolumeAttachment:
        with _in_its_words():
            return await self._server.get(VolumeAttachment, name)

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        found = await self._server.get(Secret, name, namespace=namespace)
        return {key: value.decode(errors="surrogateescape") for key, value in found.data.items()}

    def csi_driver(self, name: str) -> CSIDriver | None:
        drivers = self._drivers.listed()
        if drivers is None:
            raise Unavailable("CSIDrivers are not known yet", hint="the API server has not answered")
        return next((each for each in drivers if each.metadata.name == name), None)

    async def tokens(self, pod: Pod, requests: Sequence[StorageTokenRequest]) -> dict[str, dict[str, str]]:
        found = {}
        for request in requests:
            wanted = ServiceAccountTokenProjection(
                path="", audience=request.audience, expiration_seconds=request.expiration_seconds
            )
            known = await self._tokens.current(pod, wanted)
            found[request.audience] = {
                "token": known.text,
                "expirationTimestamp": format_time(datetime.fromtimestamp(known.expires_at, UTC)),
            }
        return found

    async def change_claim_status(self, claim: PersistentVolumeClaim, status: dict[str, Any]) -> PersistentVolumeClaim:
        metadata = claim.metadata
        body = {"metadata": {"uid": metadata.uid}, "status": status}
        return await self._server.patch(
            PersistentVolumeClaim, metadata.name, strategic(body), namespace=metadata.namespace, subresource=STATUS
        )
