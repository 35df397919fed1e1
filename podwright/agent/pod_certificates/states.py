"""The states of one certificate of a pod. Pure. The rules are the kubelet's (pkg/kubelet/podcertificate of 1.36).

    nothing -> waiting -> issued -> issued, waiting for the next one -> issued
                  |                        |
                  +------- refused <-------+

A refusal is final for the pod. Times are seconds since the epoch.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from podwright.errors import FailedPrecondition, Unavailable
from podwright.k8s.objects import Condition, PodCertificateRequest

ABANDON_AFTER_S = 600.0  # a request that is not seen for that long counts as deleted
OVERDUE_AFTER_S = 600.0
JITTER_S = 300.0  # spreads the requests of many pods

_BLOCK = re.compile(r"-----BEGIN ([^-\n]+)-----\n(.*?)-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """An issued certificate. The key and the chain are PEM."""

    key: bytes = field(repr=False)
    chain: bytes
    refresh_at: float
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A request without an answer, by name. It counts as deleted after `abandon_at`."""

    name: str
    key: bytes = field(repr=False)
    abandon_at: float


class RefusedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A final refusal of the signer: `word` is `Denied` or `Failed`."""

    word: str
    reason: str
    message: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one certificate. `warned` has the reasons of past warnings about `issued`."""

    issued: Issued | None = None
    waiting: Waiting | None = None
    refused: RefusedRequest | None = None
    warned: frozenset[str] = frozenset()

    def credentials(self) -> tuple[bytes, bytes]:
        """The key and the chain. Raises FailedPrecondition after a refusal, and Unavailable before an answer."""
        if self.refused is not None:
            said = f"reason={self.refused.reason!r} message={self.refused.message!r}"
            raise FailedPrecondition(f"PodCertificateRequest was permanently {self.refused.word.lower()}: {said}")
        if self.issued is None:
            raise Unavailable("credential bundle is not issued yet")
        return self.issued.key, self.issued.chain

    def word(self, now: float) -> str:
        """The state's name in the kubelet's metric."""
        if self.refused is not None:
            return self.refused.word.lower()
        if self.issued is None:
            return "not_yet_issued"
        if now > self.issued.expires_at:
            return "expired"
        return "overdue_for_refresh" if now > self.issued.refresh_at + OVERDUE_AFTER_S else "fresh"


class CertificateStep(msgspec.Struct, frozen=True, kw_only=True):
    """The new state, whether to make a request, and warnings about the pod (reason, message)."""

    certificate: Certificate
    wants_request: bool = False
    warnings: tuple[tuple[str, str], ...] = ()


def decide(
    certificate: Certificate, request: PodCertificateRequest | None, now: float, chance: float
) -> CertificateStep:
    """Decide the next step.

    `request` is the one that is waited for, None if it is not seen. `chance` is from 0 to 1.
    """
    waiting = certificate.waiting
    if certificate.refused is not None:
        return CertificateStep(certificate=certificate)
    if waiting is not None and request is not None:
        for condition in request.status.conditions:
            if condition.type in ("Denied", "Failed"):
                return _refusal(request, condition)
            if condition.type == "Issued":
                return CertificateStep(certificate=_issued(request, waiting, now, chance))
    if waiting is not None and request is None and now > waiting.abandon_at:
        certificate, waiting = replace(certificate, waiting=None), None
    issued = certificate.issued
    if issued is not None and now < issued.refresh_at:
        return CertificateStep(certificate=certificate)
    warnings = tuple(each for each in _late(issued, now) if each[0] not in certificate.warned)
    warned = certificate.warned | {reason for reason, _ in warnings}
    return CertificateStep(
        certificate=replace(certificate, warned=warned),
        wants_request=waiting is None,
        warnings=warnings,
    )


def _late(issued: Issued | None, now: float) -> Iterator[tuple[str, str]]:
    if issued is not None and now > issued.refresh_at + OVERDUE_AFTER_S:
        yield "CertificateOverdueForRefresh", "PodCertificate refresh overdue"
    if issued is not None and now > issued.expires_at:
        yield "CertificateExpired", "PodCertificate expired"


def _refusal(request: PodCertificateRequest, condition: Condition) -> CertificateStep:
    refused = RefusedRequest(word=condition.type, reason=condition.reason, message=condition.message)
    name = f"{request.metadata.namespace}/{request.metadata.name}"
    verb = "was denied" if condition.type == "Denied" else "failed"
    message = f'PodCertificateRequest {name} {verb}, reason="{condition.reason}", message="{condition.message}"'
    return CertificateStep(certificate=Certificate(refused=refused), warnings=((condition.type, message),))


def _issued(request: PodCertificateRequest, waiting: Waiting, now: float, chance: float) -> Certificate:
    """The issued certificate. The API server makes sure that it has its times."""
    status = request.status
    refresh_at = status.begin_refresh_at.timestamp() if status.begin_refresh_at is not None else now
    return Certificate(
        issued=Issued(
            key=waiting.key,
            chain=_clean(status.certificate_chain),
            refresh_at=refresh_at + chance * JITTER_S,
            expires_at=status.not_after.timestamp() if status.not_after is not None else now,
        )
    )


def _clean(chain: str) -> bytes:
    """The certificates without headers and text between them."""
    return "".join(_certificates(chain)).encode()


def _certificates(chain: str) -> Iterator[str]:
    for block in _BLOCK.finditer(chain):
        body = "".join(line for line in block[2].splitlines() if ":" not in line)
        try:
            yield ssl.DER_cert_to_PEM_cert(base64.b64decode(body, validate=True))
        except binascii.Error:
            continue  # not PEM: Go ignores it, too
