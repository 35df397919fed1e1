"""Finds the claims that a pod and its containers use. Pure.

The rules are those of k8s.io/dynamic-resource-allocation/resourceclaim of Kubernetes 1.36.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument, NotFound
from podwright.k8s.objects import Container, Pod, PodResourceClaim


class ClaimReference(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of a pod: `entry` is its name in the pod, `name` that of the ResourceClaim.

    A claim made from a template must be owned by the pod.
    """

    entry: str
    name: str
    must_be_owned: bool = False


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a ResourceClaim that the agent needs.

    `owner_uid` is its controller's. `drivers` None: not allocated.
    """

    uid: str
    name: str
    namespace: str
    owner_uid: str
    reserved_for: frozenset[str]  # UIDs
    drivers: tuple[str, ...] | None


def claims_of(pod: Pod) -> Iterator[ClaimReference]:
    """All claims of a pod, the one that the scheduler made for its extended resources last.

    Raises NotFound for one that does not exist yet, and InvalidArgument.
    """
    for entry in pod.spec.resource_claims:
        if (reference := _reference(pod, entry)) is not None:
            yield reference
    extended = pod.status.extended_resource_claim_status
    if extended is not None:
        yield ClaimReference(entry="", name=extended.resource_claim_name)


def known_claims_of(pod: Pod) -> Iterator[ClaimReference]:
    """The pod's own claims that already exist."""
    for entry in pod.spec.resource_claims:
        with contextlib.suppress(NotFound, InvalidArgument):
            if (reference := _reference(pod, entry)) is not None:
                yield reference


def requests_of(pod: Pod, container: Container) -> Iterator[tuple[str, str]]:
    """The claims of a container: a ResourceClaim's name, and the request in it, empty for all.

    Raises NotFound and InvalidArgument.
    """
    wanted = {claim.name for claim in container.resources.claims}
    names = {
        entry.name: reference.name
        for entry in pod.spec.resource_claims
        if entry.name in wanted and (reference := _reference(pod, entry)) is not None
    }
    for claim in container.resources.claims:
        if claim.name in names:
            yield names[claim.name], claim.request
    extended = pod.status.extended_resource_claim_status
    if extended is not None:
        for mapping in extended.request_mappings:
            if mapping.container_name == container.name:
                yield extended.resource_claim_name, mapping.request_name


def check_use(pod: Pod, reference: ClaimReference, claim: Claim) -> None:
    """Check that the pod may use the claim now. Raises FailedPrecondition."""
    where = f"{claim.namespace}/{claim.name}"
    if reference.must_be_owned and claim.owner_uid != pod.metadata.uid:
        raise FailedPrecondition(
            f"ResourceClaim {where} was not created for Pod {pod.metadata.namespace}/{pod.metadata.name} "
            "(Pod is not owner)"
        )
    if pod.metadata.uid not in claim.reserved_for:
        raise FailedPrecondition(
            f"pod {pod.metadata.name} ({pod.metadata.uid}) is not allowed to use ResourceClaim {claim.name} "
            f"({claim.uid})",
            hint="its status.reservedFor does not name the pod",
        )
    if claim.drivers is None:
        raise FailedPrecondition(f"ResourceClaim {claim.name}: not allocated")


def _reference(pod: Pod, entry: PodResourceClaim) -> ClaimReference | None:
    """The claim of an entry. None if the template's controller decided that no claim is needed."""
    if entry.resource_claim_name is not None:
        return ClaimReference(entry=entry.name, name=entry.resource_claim_name)
    if entry.resource_claim_template_name is None:
        raise InvalidArgument(f"spec.resourceClaims names neither a claim nor a template: {entry.name}")
    for status in pod.status.resource_claim_statuses:
        if status.name == entry.name:
            name = status.resource_claim_name
            return None if name is None else ClaimReference(entry=entry.name, name=name, must_be_owned=True)
    raise NotFound(
        f'pod "{pod.metadata.namespace}/{pod.metadata.name}": ResourceClaim not created yet for {entry.name}'
    )
