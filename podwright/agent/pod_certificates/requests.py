"""Makes PodCertificateRequests in the API server's newest version. Servers of 1.36 have them as beta, if at all."""

from __future__ import annotations

from typing import ClassVar

from podwright.k8s.objects import (
    Node,
    ObjectMeta,
    OwnerReference,
    Pod,
    PodCertificateProjection,
    PodCertificateRequest,
    PodCertificateRequestSpec,
    ServiceAccount,
)


class BetaRequest(PodCertificateRequest, frozen=True, kw_only=True):
    """The same in v1beta1."""

    API_VERSION: ClassVar[str] = "certificates.k8s.io/v1beta1"


VERSIONS: tuple[type[PodCertificateRequest], ...] = (PodCertificateRequest, BetaRequest)


def new_request(
    version: type[PodCertificateRequest],
    pod: Pod,
    projection: PodCertificateProjection,
    account: ServiceAccount,
    node: Node,
    proof: bytes,
) -> PodCertificateRequest:
    """The request for a pod, which owns it. `proof` is a PKCS#10 request in DER."""
    owner = OwnerReference(api_version="v1", kind="Pod", name=pod.metadata.name, uid=pod.metadata.uid)
    return version(
        kind=PodCertificateRequest.__name__,  # the same for every version
        metadata=ObjectMeta(
            namespace=pod.metadata.namespace,
            generate_name="req-",
            owner_references=(owner,),
        ),
        spec=PodCertificateRequestSpec(
            signer_name=projection.signer_name,
            pod_name=pod.metadata.name,
            pod_uid=pod.metadata.uid,
            service_account_name=account.metadata.name,
            service_account_uid=account.metadata.uid,
            node_name=node.metadata.name,
            node_uid=node.metadata.uid,
            max_expiration_seconds=projection.max_expiration_seconds,
            stub_pkcs10_request=proof,
            unverified_user_annotations=projection.user_annotations,
        ),
    )
