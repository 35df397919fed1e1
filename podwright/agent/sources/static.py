"""Makes a static pod of a manifest's pod: the name, UID, labels and annotations that the kubelet gives it.

Source: pkg/kubelet/config/common.go of Kubernetes 1.36.
"""

from __future__ import annotations

import hashlib

import msgspec

from podwright.agent.pods.identity import CONFIG_HASH
from podwright.agent.pods.places import log_directory
from podwright.agent.sources.api_references import api_reference
from podwright.agent.sources.changes import FILE
from podwright.errors import InvalidArgument
from podwright.k8s.objects import ObjectMeta, Pod, PodStatus, Toleration
from podwright.k8s.problems import ManifestError
from podwright.k8s.validation.metadata import validate_metadata

TOLERATES_EVERYTHING = Toleration(operator="Exists", effect="NoExecute")


def static_pod(pod: Pod, *, source: str, origin: str, node_name: str) -> Pod:
    """The pod as the agent runs it. `origin` is the file's path or the URL.

    The UID is computed from the content, so that an edited manifest is another pod. A UID in the manifest is kept.
    Raises InvalidArgument for a pod that needs objects of the API, and for a UID, a name or a namespace that cannot be
    in a path.
    """
    metadata = pod.metadata
    if not metadata.name:
        raise InvalidArgument(f"{origin}: the pod has no name", hint="set metadata.name")
    uid = metadata.uid or content_uid(pod, f"host:{node_name}", f"{'file' if source == FILE else 'url'}:{origin}")
    named = msgspec.structs.replace(
        metadata,
        uid=uid,
        name=f"{metadata.name}-{node_name.lower()}",
        namespace=metadata.namespace or "default",
        annotations={**metadata.annotations, CONFIG_HASH: uid},
    )
    _check_names(named, origin)
    if reference := api_reference(pod):
        raise InvalidArgument(
            f"{origin}: static pods may not reference {reference}",
            hint="a static pod runs without an API server: put what it needs into the manifest, or onto this machine",
        )
    spec = msgspec.structs.replace(pod.spec, node_name=node_name)
    if source == FILE:
        spec = msgspec.structs.replace(spec, tolerations=(*spec.tolerations, TOLERATES_EVERYTHING))
    return msgspec.structs.replace(pod, metadata=named, spec=spec, status=PodStatus(phase="Pending"))


def content_uid(pod: Pod, *more: str) -> str:
    """32 hexadecimal digits, computed from the pod and `more`. A kubelet hashes Go's own dump of the object."""
    digest = hashlib.blake2b(msgspec.json.encode(pod, order="deterministic"), digest_size=16)
    for text in more:
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()


def _check_names(metadata: ObjectMeta, origin: str) -> None:
    """Check the final names: with the node's name the pod's may be too long. Raises InvalidArgument."""
    try:
        if problems := list(validate_metadata(metadata)):
            raise ManifestError(problems)
        log_directory("", metadata.namespace, metadata.name, metadata.uid)
    except InvalidArgument as failure:
        raise InvalidArgument(f"{origin}: {failure.message}", hint=failure.hint) from failure
