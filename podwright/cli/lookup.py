"""Finds the object that a person means by an id, the start of one, or a name.

`choose` is pure. The functions below list objects over CRI and call it, so that prefixes work with all runtimes, and
a unique name works like an id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from podwright.cri.client import CriClient

Kind = Literal["container", "pod", "image"]
LISTED_CHOICES = 5


class LookupCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """An object that a reference may refer to. `names` are its other names.

    Among equal names the latest `created_ns` wins.
    """

    kind: Kind
    id: str
    names: tuple[str, ...] = ()
    created_ns: int = 0


def choose(reference: str, candidates: Sequence[LookupCandidate]) -> LookupCandidate:
    """The candidate for `reference`: by complete id, by name, or by the start of exactly one id.

    Attempts of one container share a name, and the newest is chosen. Raises NotFound, and InvalidArgument if several
    match or `reference` is empty.
    """
    if not reference:
        raise InvalidArgument("the name is empty")
    bare = reference.removeprefix("sha256:")
    exact = [candidate for candidate in candidates if candidate.id.removeprefix("sha256:") == bare]
    named = [candidate for candidate in candidates if reference in candidate.names]
    begun = [candidate for candidate in candidates if candidate.id.removeprefix("sha256:").startswith(bare)]
    for found, hint in (
        (exact, "use a name"),
        (_newest_attempts(named), "use a longer name, such as POD/NAME, or an id"),
        (begun, "use more digits of the id"),
    ):
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(map(_shown, found[:LISTED_CHOICES]))
            raise InvalidArgument(f"{reference!r} is ambiguous: {shown}", hint=hint)
    kinds = " or ".join(dict.fromkeys(candidate.kind for candidate in candidates)) or "object"
    raise NotFound(f"no {kinds} has the name {reference!r}, or an id that starts with it")


def _shown(candidate: LookupCandidate) -> str:
    """`container 3f2a5b1c0d9e (default/web/main)`."""
    longest = max(candidate.names, key=len, default="")
    return f"{candidate.kind} {candidate.id.removeprefix('sha256:')[:12]}" + (f" ({longest})" if longest else "")


def _newest_attempts(named: Sequence[LookupCandidate]) -> list[LookupCandidate]:
    """The candidates without older attempts of the same object."""
    newest: dict[tuple[str, tuple[str, ...]], LookupCandidate] = {}
    for candidate in sorted(named, key=lambda each: each.created_ns):
        newest[candidate.kind, candidate.names] = candidate
    return list(newest.values())


async def pod_candidates(cri: CriClient) -> list[LookupCandidate]:
    """All sandboxes, with the names `name` and `namespace/name`."""
    response = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    return [
        LookupCandidate(
            kind="pod",
            id=pod.id,
            names=(pod.metadata.name, f"{pod.metadata.namespace}/{pod.metadata.name}"),
            created_ns=pod.created_at,
        )
        for pod in response.items
    ]


async def container_candidates(cri: CriClient) -> list[LookupCandidate]:
    """All containers, with the names `name`, `pod/name` and `namespace/pod/name`."""
    pods = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    by_id = {pod.id: pod.metadata for pod in pods.items}
    response = await cri.call(cri.runtime.ListContainers, api.ListContainersRequest())
    found = []
    for container in response.containers:
        pod = by_id.get(container.pod_sandbox_id, api.PodSandboxMetadata())
        name = container.metadata.name
        names = (name, f"{pod.name}/{name}", f"{pod.namespace}/{pod.name}/{name}")
        found.append(LookupCandidate(kind="container", id=container.id, names=names, created_ns=container.created_at))
    return found


async def image_candidates(cri: CriClient) -> list[LookupCandidate]:
    """All images, with their tags and digests as names."""
    response = await cri.call(cri.images.ListImages, api.ListImagesRequest())
    return [
        LookupCandidate(kind="image", id=image.id, names=(*image.repo_tags, *image.repo_digests))
        for image in response.images
    ]


async def find_container(cri: CriClient, reference: str) -> str:
    """The id of the container. Raises InvalidArgument and NotFound. For a pod's name, the hint has its containers."""
    candidates = await container_candidates(cri)
    try:
        return _choose_of_kind(reference, candidates, "container").id
    except NotFound as failure:
        raise NotFound(failure.message, hint=_inside(reference, candidates)) from None


def _inside(reference: str, candidates: Sequence[LookupCandidate]) -> str:
    """The containers of the pod that a reference names, as a hint. Empty if there are none."""
    names = [name for each in candidates for name in each.names if name.rpartition("/")[0] == reference]
    return f"this pod has {', '.join(dict.fromkeys(names))}" if names else ""


async def find_pod(cri: CriClient, reference: str) -> str:
    """The id of the sandbox. Raises NotFound and InvalidArgument."""
    return _choose_of_kind(reference, await pod_candidates(cri), "pod").id


async def find_image(cri: CriClient, reference: str) -> str:
    """The id of the image. The runtime's own resolution of references goes first.

    Raises NotFound and InvalidArgument.
    """
    if reference:
        request = api.ImageStatusRequest(image=api.ImageSpec(image=reference))
        response = await cri.call(cri.images.ImageStatus, request)
        if response.image.id:
            return response.image.id
    return _choose_of_kind(reference, await image_candidates(cri), "image").id


async def find_container_or_pod(cri: CriClient, reference: str, kind: Kind | None = None) -> LookupCandidate:
    """The container or the sandbox, or the one of the given kind. Raises NotFound and InvalidArgument."""
    if kind == "container":
        return _choose_of_kind(reference, await container_candidates(cri), "container")
    if kind == "pod":
        return _choose_of_kind(reference, await pod_candidates(cri), "pod")
    candidates = await container_candidates(cri) + await pod_candidates(cri)
    try:
        return choose(reference, candidates)
    except NotFound:
        raise NotFound(f"no container or pod has the name {reference!r}, or an id that starts with it") from None


def _choose_of_kind(reference: str, candidates: Sequence[LookupCandidate], kind: Kind) -> LookupCandidate:
    try:
        return choose(reference, candidates)
    except NotFound:
        raise NotFound(f"no {kind} has the name {reference!r}, or an id that starts with it") from None
