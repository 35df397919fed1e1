"""Finds what a pod needs of the API. A static pod must need nothing, because it must run without an API server.

The rules and texts are those of HasAPIObjectReference of Kubernetes 1.36 (pkg/api/pod/util.go).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podwright.k8s.objects import Container, Pod, Volume, VolumeProjection

# By the fields of a Volume. A test has a list of all other kinds.
API_VOLUMES = {
    "azure_file": "secrets (via azureFile volumes)",
    "config_map": "configmaps (via configmap volumes)",
    "csi": "csidrivers (via CSI volumes)",
    "ephemeral": "persistentvolumeclaims (via ephemeral volumes)",
    "glusterfs": "endpoints (via glusterFS volumes)",
    "persistent_volume_claim": "persistentvolumeclaims",
    "secret": "secrets (via secret volumes)",
}
API_SOURCES = {
    "cluster_trust_bundle": "clustertrustbundles",
    "config_map": "configmaps (via projected volumes)",
    "pod_certificate": "podcertificates",
    "secret": "secrets (via projected volumes)",
    "service_account_token": "serviceaccounts (via projected volumes)",
}


def api_reference(pod: Pod) -> str:
    """The first reference of the pod that only the API can provide, and where it is. Empty if there is none."""
    return next(_references(pod), "")


def _references(pod: Pod) -> Iterator[str]:
    spec = pod.spec
    if spec.service_account_name:
        yield "serviceaccounts (spec.serviceAccountName)"
    if any(secret.name for secret in spec.image_pull_secrets):
        yield "secrets (spec.imagePullSecrets)"
    for container in (*spec.init_containers, *spec.containers):
        yield from (f"{what} (container {container.name})" for what in _of_container(container))
    if spec.resource_claims:
        yield "resourceclaims (spec.resourceClaims)"
    for volume in spec.volumes:
        yield from (f"{what} (volume {volume.name})" for what in _of_volume(volume))


def _of_container(container: Container) -> Iterator[str]:
    for source in container.env_from:
        if source.secret_ref is not None:
            yield "secrets"
        if source.config_map_ref is not None:
            yield "configmaps"
    for chosen in (variable.value_from for variable in container.env if variable.value_from is not None):
        if chosen.secret_key_ref is not None:
            yield "secrets"
        if chosen.config_map_key_ref is not None:
            yield "configmaps"


def _of_volume(volume: Volume) -> Iterator[str]:
    for kind in _set_fields(volume):
        if kind in API_VOLUMES:
            yield API_VOLUMES[kind]
        elif getattr(getattr(volume, kind), "secret_ref", None) is not None:
            yield "secrets"
    for source in volume.projected.sources if volume.projected is not None else ():
        yield from (API_SOURCES[kind] for kind in _set_fields(source) if kind in API_SOURCES)


def _set_fields(value: Volume | VolumeProjection) -> list[str]:
    """The kinds that are set: all fields except the name."""
    names = (field.name for field in msgspec.structs.fields(value) if field.name != "name")
    return [name for name in names if getattr(value, name) is not None]
