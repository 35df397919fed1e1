"""Whether an image may be pulled or loaded: fetches its signatures from its registry and checks them.

Cosign stores them under a tag derived from the image's digest, or as referrers of the image (OCI 1.1). A signature
proves itself, so any server of the registry may serve it. Refusals start with the sentinel that the kubelet knows,
and have the code UNKNOWN.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec

from podwright.errors import FailedPrecondition, PodwrightError, Unknown
from podwright.runtime.config import SignatureSettings
from podwright.runtime.image.pulling import simple_signing
from podwright.runtime.image.pulling.policy import Policy
from podwright.runtime.image.pulling.simple_signing import ImageSignature
from podwright.runtime.model.image import hex_of
from podwright.runtime.registry.client import Client
from podwright.runtime.registry.manifest import Descriptor
from podwright.runtime.registry.nulls import NotJson, Nullable, NullsAsDefaults, decode
from podwright.runtime.registry.reference import ImageReference

log = logging.getLogger(__name__)

PAYLOAD_MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
ARTIFACT_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
PAYLOAD_LIMIT_BYTES = 64 << 10
REFERRERS_LIMIT = 32
SIGNATURES_LIMIT = 64
REASONS_SHOWN = 5
Found = TypeVar("Found", bound=msgspec.Struct)


class _Signatures(NullsAsDefaults, frozen=True, kw_only=True):
    layers: Nullable[tuple[Nullable[Descriptor], ...]] = ()


class _Referrer(Descriptor, frozen=True, kw_only=True, rename="camel"):
    artifact_type: Nullable[str] = ""


class _Referrers(NullsAsDefaults, frozen=True, kw_only=True):
    manifests: Nullable[tuple[Nullable[_Referrer], ...]] = ()


class SignatureChecks:
    """Enforces [signatures]."""

    def __init__(self, settings: SignatureSettings) -> None:
        """Raises InvalidArgument for invalid rules."""
        self._policy = Policy(settings)
        self._archives_are_free = settings.archives == "accept"

    def check_wanted(self, reference: ImageReference) -> None:
        """Raises Unknown if the image may not be pulled even with a signature."""
        requirement = self._policy.requirement(reference.name)
        if requirement.action == "reject":
            raise _refused(str(reference), f"{requirement.rule} rejects it")

    def check_archived(self, reference: ImageReference) -> None:
        """Raises Unknown if an image of an archive may not have that name. Archives have no signatures to check."""
        requirement = self._policy.requirement(reference.name)
        if requirement.action == "accept" or self._archives_are_free:
            return
        why = "rejects it" if requirement.action == "reject" else "requires a signature, and archives have none"
        hint = 'give it another name, or trust all archives by signatures.archives = "accept"'
        raise _refused(str(reference), f"{requirement.rule} {why}", hint)

    async def check(self, client: Client, reference: ImageReference, digest: str) -> None:
        """Raises Unknown if the image lacks a required signature, and what the client raises."""
        requirement = self._policy.requirement(reference.name)
        if requirement.action == "accept":
            return
        name = str(reference) if reference.digest else f"{reference}@{digest}"
        reasons: dict[str, None] = {}
        try:
            keys = await asyncio.to_thread(simple_signing.load_keys, requirement.keys)
            async for candidate in _bounded(_candidates(client, digest)):
                problem = simple_signing.examine(candidate, keys, identity=requirement.identity, digest=digest)
                if not problem:
                    log.info("image is signed: name=%s digest=%s rule=%s", reference, digest, requirement.rule)
                    return
                reasons[problem] = None
        except FailedPrecondition as failure:
            raise _refused(name, failure.message) from failure
        why = "; ".join(itertools.islice(reasons, REASONS_SHOWN)) or "its registry has no signature of it"
        raise _refused(name, f"{requirement.rule} requires a signature: {why}")


def _refused(name: str, why: str, hint: str = "") -> PodwrightError:
    return Unknown(f"SignatureValidationFailed: {name}: {why}", hint=hint)


async def _bounded(candidates: AsyncIterator[ImageSignature]) -> AsyncIterator[ImageSignature]:
    count = 0
    async for candidate in candidates:
        yield candidate
        count += 1
        if count == SIGNATURES_LIMIT:
            return


async def _candidates(client: Client, digest: str) -> AsyncIterator[ImageSignature]:
    """All possible signatures. Raises FailedPrecondition if they cannot be read."""
    tagged = await client.tagged(f"sha256-{hex_of(digest)}.sig")
    if tagged is not None:
        async for candidate in _in_manifest(client, tagged):
            yield candidate
    listed = await client.referrers(digest)
    if listed is None:
        return
    referrers = _decoded(listed, _Referrers).manifests
    for referrer in [one for one in referrers if one.artifact_type == ARTIFACT_TYPE][:REFERRERS_LIMIT]:
        data, _ = await client.manifest(_checked(referrer.digest))
        async for candidate in _in_manifest(client, data):
            yield candidate


async def _in_manifest(client: Client, data: bytes) -> AsyncIterator[ImageSignature]:
    for layer in _decoded(data, _Signatures).layers:
        signature = (layer.annotations or {}).get(SIGNATURE_ANNOTATION, "")
        if layer.media_type == PAYLOAD_MEDIA_TYPE and signature and layer.size <= PAYLOAD_LIMIT_BYTES:
            _checked(layer.digest)
            yield ImageSignature(signature=signature, payload=await client.config(layer))


def _checked(digest: str) -> str:
    """Check the digest, because it becomes part of a URL."""
    try:
        hex_of(digest)
    except PodwrightError as failure:
        raise FailedPrecondition(f"cannot read its signatures: {failure.message}") from failure
    return digest


def _decoded(data: bytes, kind: type[Found]) -> Found:
    try:
        return decode(data, kind)
    except NotJson as failure:
        raise FailedPrecondition(f"cannot read its signatures: {failure}") from failure
