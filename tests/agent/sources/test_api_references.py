"""What a static pod cannot have, since only the API could give it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from podwright.agent.sources.api_references import API_SOURCES, API_VOLUMES, api_reference
from podwright.k8s import codec
from podwright.k8s.objects import Pod, Volume, VolumeProjection

# What a static pod may have.
OTHER_VOLUMES = frozenset(
    (
        "aws_elastic_block_store",
        "azure_disk",
        "cephfs",
        "cinder",
        "downward_api",
        "empty_dir",
        "fc",
        "flex_volume",
        "flocker",
        "gce_persistent_disk",
        "git_repo",
        "host_path",
        "image",
        "iscsi",
        "nfs",
        "photon_persistent_disk",
        "portworx_volume",
        "projected",
        "quobyte",
        "rbd",
        "scale_io",
        "storageos",
        "vsphere_volume",
    )
)
OTHER_SOURCES = frozenset(("downward_api",))

SECRET = {"secretRef": {"name": "s"}}


def pod(**spec: Any) -> Pod:
    main = {"name": "main", "image": "app", **spec.pop("container", {})}
    document = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [main], **spec}}
    return codec.decode(msgspec.json.encode(document), Pod)


def volume(**source: Any) -> Pod:
    return pod(volumes=[{"name": "v", **source}])


def names(type_: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(type_)} - {"name"}


def test_the_tables_hold_every_kind_of_volume() -> None:
    assert API_VOLUMES.keys() | OTHER_VOLUMES == names(Volume)
    assert not API_VOLUMES.keys() & OTHER_VOLUMES
    assert API_SOURCES.keys() | OTHER_SOURCES == names(VolumeProjection)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        pytest.param(pod(serviceAccountName="me"), "serviceaccounts", id="service account"),
        pytest.param(pod(imagePullSecrets=[{"name": "s"}]), "secrets (spec.imagePullSecrets)", id="pull secrets"),
        pytest.param(pod(resourceClaims=[{"name": "c"}]), "resourceclaims", id="claims"),
        pytest.param(pod(container={"envFrom": [SECRET]}), "secrets (container main)", id="envFrom a Secret"),
        pytest.param(
            pod(container={"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]}),
            "configmaps (container main)",
            id="env from a ConfigMap",
        ),
        pytest.param(volume(secret={"secretName": "s"}), "secrets (via secret volumes) (volume v)", id="secret"),
        pytest.param(volume(persistentVolumeClaim={"claimName": "c"}), "persistentvolumeclaims", id="claim"),
        pytest.param(volume(cephfs={"monitors": ["m"], **SECRET}), "secrets (volume v)", id="CephFS"),
        pytest.param(volume(storageos=SECRET), "secrets (volume v)", id="StorageOS"),
        pytest.param(
            volume(projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}), "serviceaccounts", id="token"
        ),
        pytest.param(volume(hostPath={"path": "/"}), "", id="hostPath"),
        pytest.param(volume(emptyDir={}), "", id="emptyDir"),
        pytest.param(volume(cephfs={"monitors": ["m"]}), "", id="CephFS without a Secret"),
        pytest.param(
            volume(projected={"sources": [{"downwardAPI": {"items": []}}]}), "", id="downward API, projected"
        ),
        pytest.param(pod(), "", id="nothing"),
    ],
)
def test_what_a_pod_needs_of_the_api(given: Pod, what: str) -> None:
    assert api_reference(given).startswith(what)
    assert bool(api_reference(given)) is bool(what)
