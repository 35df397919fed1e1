"""A certificate request at the API server: submitted, and waited for until somebody has approved and signed it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Collection

import msgspec

from podwright.errors import AlreadyExists, DeadlineExceeded, FailedPrecondition, PermissionDenied
from podwright.k8s.client.certificates.keys import KeyAndRequest
from podwright.k8s.client.listwatch.reflector import Reflector
from podwright.k8s.client.protocol import ApiServer, Selection
from podwright.k8s.objects import CertificateSigningRequest, CertificateSigningRequestSpec, ObjectMeta

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
SERVING_SIGNER = "kubernetes.io/kubelet-serving"


class CertificatePurpose(msgspec.Struct, frozen=True, kw_only=True):
    """What the certificate is for."""

    signer: str
    usages: tuple[str, ...]


# What a kubelet asks for with a key of an elliptic curve, and the approving controller expects.
CLIENT = CertificatePurpose(signer=CLIENT_SIGNER, usages=("digital signature", "client auth"))
SERVING = CertificatePurpose(signer=SERVING_SIGNER, usages=("digital signature", "server auth"))


async def certified(
    api: ApiServer, made: KeyAndRequest, purpose: CertificatePurpose, *, name: str = "", timeout_s: float
) -> bytes:
    """The certificate (PEM). An existing request of this `name` is waited for. Without a name, a new one is made.

    Raises PermissionDenied when it is denied, FailedPrecondition when the signer fails or the request is deleted, and
    DeadlineExceeded when nobody decides. In each case a person has to look.
    """
    metadata = ObjectMeta(name=name) if name else ObjectMeta(generate_name="csr-")
    spec = CertificateSigningRequestSpec(request=made.request, signer_name=purpose.signer, usages=purpose.usages)
    try:
        submitted = await api.create(CertificateSigningRequest(metadata=metadata, spec=spec))
        name = submitted.metadata.name
    except AlreadyExists:
        if not name:
            raise
    return await _signed(api, name, timeout_s)


def request_name(made: KeyAndRequest, purpose: CertificatePurpose) -> str:
    """A name that the same key gives again, so that an agent that was killed finds its request."""
    digest = hashlib.sha256(b"\0".join((made.key, purpose.signer.encode(), *map(str.encode, purpose.usages)))).digest()
    # Lower case, as names have to be: base32 without its padding.
    return f"node-csr-{base64.b32encode(digest).decode().rstrip('=').lower()}"


async def _signed(api: ApiServer, name: str, timeout_s: float) -> bytes:
    decision = _Decision(name)
    selection = Selection(fields=f"metadata.name={name}")
    following = asyncio.create_task(
        Reflector(api, CertificateSigningRequest, decision, selection).run(), name=f"certificate request {name}"
    )
    try:
        async with asyncio.timeout(timeout_s):
            return await decision.certificate
    except TimeoutError as late:
        hint = f"kubectl certificate approve {name}"
        raise DeadlineExceeded(f"certificate request {name}: not signed within {timeout_s:g} s", hint=hint) from late
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


class _Decision:
    """A sink that waits for what becomes of one request."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.certificate: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def replace(self, objects: Collection[CertificateSigningRequest]) -> None:
        for obj in objects:
            self.put(obj)
        if not objects:
            self._fail(FailedPrecondition(f"certificate request {self._name}: it was deleted before it was signed"))

    def put(self, obj: CertificateSigningRequest) -> None:
        for condition in obj.status.conditions:
            said = f"{condition.reason}: {condition.message}"
            if condition.type == "Denied":
                self._fail(PermissionDenied(f"certificate request {self._name}: it was denied: {said}"))
            elif condition.type == "Failed":
                self._fail(FailedPrecondition(f"certificate request {self._name}: the signer failed: {said}"))
        if obj.status.certificate and not self.certificate.done():
            self.certificate.set_result(obj.status.certificate)

    def remove(self, obj: CertificateSigningRequest) -> None:  # noqa: ARG002 # the protocol's
        self.replace(())

    def _fail(self, failure: Exception) -> None:
        if not self.certificate.done():
            self.certificate.set_exception(failure)
