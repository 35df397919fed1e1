"""Documents of any kind."""

from __future__ import annotations

import pytest

from podwright.k8s.codec import decode, encode, to_document
from podwright.k8s.kinds import find_kind
from podwright.k8s.objects import (
    CertificateSigningRequest,
    ClusterTrustBundle,
    ConfigMap,
    CronJob,
    DaemonSet,
    Deployment,
    Event,
    Job,
    Lease,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodList,
    ReplicaSet,
    RuntimeClass,
    Secret,
    Service,
    ServiceAccount,
    StatefulSet,
    Status,
    SubjectAccessReview,
    TokenRequest,
    TokenReview,
)
from podwright.k8s.objects.base import Kind
from podwright.k8s.objects.generic import List


@pytest.mark.parametrize(
    ("api_version", "cls"),
    [
        *[
            ("v1", cls)
            for cls in (Pod, PodList, Node, Event, ConfigMap, Secret, Service, ServiceAccount, Status, List)
        ],
        *[("v1", cls) for cls in (PersistentVolume, PersistentVolumeClaim)],
        *[("apps/v1", cls) for cls in (Deployment, DaemonSet, StatefulSet, ReplicaSet)],
        *[("batch/v1", cls) for cls in (Job, CronJob)],
        ("coordination.k8s.io/v1", Lease),
        ("node.k8s.io/v1", RuntimeClass),
        *[("authentication.k8s.io/v1", cls) for cls in (TokenRequest, TokenReview)],
        ("authorization.k8s.io/v1", SubjectAccessReview),
        *[("certificates.k8s.io/v1", cls) for cls in (CertificateSigningRequest, ClusterTrustBundle)],
    ],
)
def test_kinds_are_found_by_what_they_say(api_version: str, cls: type[Kind]) -> None:
    assert find_kind(api_version, cls.__name__) is cls


def test_items_of_a_list() -> None:
    item = '{"kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "b"}}'
    found = decode(f'{{"kind": "List", "apiVersion": "v1", "items": [{item}]}}', List)
    assert found.items == ({"kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "b"}},)
    assert decode(encode(found), List) == found
    assert to_document(List())["kind"] == "List"
