"""Fetches blobs again that were dropped, lost or damaged, from the origin of their image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from podwright.errors import FailedPrecondition, PodwrightError
from podwright.process import ProcessRunner
from podwright.runtime.config import RegistrySettings
from podwright.runtime.registry import reference
from podwright.runtime.registry.client import Client
from podwright.runtime.registry.logins import DaemonLogins
from podwright.runtime.registry.manifest import MANIFEST_TYPES, Descriptor
from podwright.runtime.storage.blobs import BlobStore, DigestMismatch


class Refetcher:
    """Uses the daemon's own logins, because the credentials of pulls are not kept."""

    def __init__(self, blobs: BlobStore, settings: RegistrySettings, runner: ProcessRunner) -> None:
        self._blobs = blobs
        self._settings = settings
        self._logins = DaemonLogins(settings, runner)

    async def bring(self, names: Sequence[str], wanted: Iterable[Descriptor]) -> None:
        """Fetch blobs of the image with these names, replacing stored ones. The caller has a lease.

        Raises FailedPrecondition with the reason for every name, and ResourceExhausted.
        """
        for descriptor in wanted:
            await self._bring_one(names, descriptor)

    async def _bring_one(self, names: Sequence[str], descriptor: Descriptor) -> None:
        reasons = []
        for name in sorted(
            names, key=lambda name: "@" not in name
        ):  # digests, which were pulled, before tags, which may be local
            try:
                async with Client(reference.parse(name), None, self._settings, self._logins) as client:
                    if descriptor.media_type in MANIFEST_TYPES or not descriptor.media_type:
                        data, _ = await client.manifest(descriptor.digest)
                        await self._blobs.replace(data)
                    else:
                        await self._download(client, descriptor)
            except PodwrightError as failure:
                reasons.append(failure.message)
            else:
                return
        why = "; ".join(dict.fromkeys(reasons)) or "the image has no name to ask a registry by"
        raise FailedPrecondition(f"{descriptor.digest} cannot be fetched again: {why}")

    async def _download(self, client: Client, descriptor: Descriptor) -> None:
        while True:
            try:
                with self._blobs.ingest(descriptor.digest, descriptor.size) as ingest:
                    await client.blob(descriptor, ingest)
                    await ingest.commit()
                    return
            except DigestMismatch:
                if not client.distrust(descriptor.digest):
                    raise
