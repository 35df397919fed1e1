"""From a manifest to a static pod: the name, UID and marks that the kubelet gives it.

Source: pkg/kubelet/config/common.go of Kubernetes 1.36.
"""

from __future__ import annotations

import hashlib

import msgspec

from podwright.agent.pods.identity import CONFIG_HASH
from podwright.agent.sources.changes import FILE
from podwright.errors import InvalidArgument
from podwright.k8s.objects import Pod, PodStatus, Toleration, Volume

TOLERATES_EVERYTHING = Toleration(operator="Exists", effect="NoExecute")


def static_pod(pod: Pod, *, source: str, origin: str, node_name: str) -> Pod:
    """The pod as the agent runs it. `origin` is the file's path or the URL.

    The UID follows from the contents, so that a manifest that was edited is another pod; one that names a UID keeps
    it. Raises InvalidArgument for a pod that needs objects of the API.
    """
    metadata = pod.metadata
    if not metadata.name:
        raise InvalidArgument(f"{origin}: the pod has no name", hint="set metadata.name")
    uid = metadata.uid or content_uid(pod, f"host:{node_name}", f"{'file' if source == FILE else 'url'}:{origin}")
    name = f"{metadata.name}-{node_name.lower()}"
    if reason := api_reference(pod):
        raise InvalidArgument(f"{origin}: a static pod cannot use the API: {reason}")
    spec = msgspec.structs.replace(pod.spec, node_name=node_name)
    if source == FILE:
        spec = msgspec.structs.replace(spec, tolerations=(*spec.tolerations, TOLERATES_EVERYTHING))
    return msgspec.structs.replace(
        pod,
        metadata=msgspec.structs.replace(
            metadata,
            uid=uid,
            name=name,
            namespace=metadata.namespace or "default",
            annotations={**metadata.annotations, CONFIG_HASH: uid},
        ),
        spec=spec,
        status=PodStatus(phase="Pending"),
    )


def content_uid(pod: Pod, *more: str) -> str:
    """32 hexadecimal digits that follow from the pod and `more`. A kubelet hashes Go's own dump of the object."""
    digest = hashlib.blake2b(msgspec.json.encode(pod, order="deterministic"), digest_size=16)
    for text in more:
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()


def api_reference(pod: Pod) -> str:
    """The first thing of the pod that only the API could provide; empty when there is none."""
    spec = pod.spec
    if spec.service_account_name:
        return "spec.serviceAccountName"
    if spec.resource_claims:
        return "spec.resourceClaims"
    for volume in spec.volumes:
        if kind := _api_volume(volume):
            return f"volume {volume.name} ({kind})"
    for container in (*spec.init_containers, *spec.containers):
        for source in container.env_from:
            if source.config_map_ref is not None or source.secret_ref is not None:
                return f"container {container.name}: envFrom"
        for variable in container.env:
            chosen = variable.value_from
            if chosen is not None and (chosen.config_map_key_ref or chosen.secret_key_ref):
                return f"container {container.name}: env {variable.name}"
    return ""


API_VOLUMES = (
    "secret",
    "config_map",
    "persistent_volume_claim",
    "ephemeral",
    "csi",
    "ceph_fs",
    "rbd",
    "glusterfs",
    "iscsi",
    "flex_volume",
    "scale_io",
    "storage_os",
    "azure_file",
)


def _api_volume(volume: Volume) -> str:
    for kind in API_VOLUMES:
        if getattr(volume, kind, None) is not None:
            return kind
    if volume.projected is not None:
        for source in volume.projected.sources:
            for kind in ("secret", "config_map", "service_account_token", "cluster_trust_bundle", "pod_certificate"):
                if getattr(source, kind, None) is not None:
                    return f"projected {kind}"
    return ""
