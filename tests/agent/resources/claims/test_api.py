"""What is read of a ResourceClaim, and how slices are withdrawn."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from podwright.agent.resources.claims.api import ApiClaims, NoClaims, read_claim
from podwright.errors import Internal, Unavailable
from podwright.k8s.client.protocol import ApiServer, RawRequest

DOCUMENT = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaim",
    "metadata": {
        "name": "gpu",
        "namespace": "default",
        "uid": "u",
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Pod", "name": "other", "uid": "x"},
            {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": "w", "controller": True},
        ],
    },
    "spec": {"devices": {"requests": [{"name": "r"}]}},
    "status": {
        "reservedFor": [{"resource": "pods", "name": "web", "uid": "w"}],
        "allocation": {"devices": {"results": [{"driver": "b", "pool": "p"}, {"driver": "a"}, {"driver": "b"}]}},
    },
}


def test_an_allocated_claim() -> None:
    claim = read_claim(msgspec.json.encode(DOCUMENT))
    assert (claim.uid, claim.name, claim.namespace, claim.owner_uid) == ("u", "gpu", "default", "w")
    assert claim.reserved_for == {"w"}
    assert claim.drivers == ("a", "b")


def test_a_claim_that_nobody_has_looked_at() -> None:
    claim = read_claim(b'{"metadata": {"name": "gpu"}}')
    assert claim.drivers is None
    assert claim.reserved_for == frozenset()


@pytest.mark.parametrize("body", [b"", b"[]", b'{"metadata": 1}', b'{"metadata": {}, "status": {"reservedFor": 1}}'])
def test_answers_that_are_no_claim(body: bytes) -> None:
    with pytest.raises(Internal, match="no ResourceClaim"):
        read_claim(body)


async def test_requests() -> None:
    asked: list[RawRequest] = []

    class Server:
        async def raw(self, request: RawRequest, **_: Any) -> bytes:
            asked.append(request)
            return msgspec.json.encode(DOCUMENT)

    claims = ApiClaims(cast("ApiServer", Server()), "node-a")
    await claims.get("default", "gpu")
    await claims.withdraw("")
    await claims.withdraw("d")
    assert [(each.method, each.path) for each in asked] == [
        ("GET", "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/gpu"),
        ("DELETE", "/apis/resource.k8s.io/v1/resourceslices"),
        ("DELETE", "/apis/resource.k8s.io/v1/resourceslices"),
    ]
    assert [each.query.get("fieldSelector") for each in asked[1:]] == [
        "spec.nodeName=node-a",
        "spec.nodeName=node-a,spec.driver=d",
    ]


async def test_without_an_api_server() -> None:
    await NoClaims().withdraw("d")
    with pytest.raises(Unavailable, match="no API server"):
        await NoClaims().get("default", "gpu")
