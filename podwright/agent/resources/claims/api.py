"""Reads ResourceClaims and deletes ResourceSlices at the API server."""

from __future__ import annotations

from typing import Protocol

import msgspec

from podwright.agent.resources.claims.references import Claim
from podwright.errors import Internal, NotFound, Unavailable
from podwright.k8s.client.protocol import ApiServer, RawRequest
from podwright.k8s.objects import ObjectMeta

BASE = "/apis/resource.k8s.io/v1"


class _Consumer(msgspec.Struct, frozen=True):
    uid: str


class _Result(msgspec.Struct, frozen=True):
    driver: str


class _Devices(msgspec.Struct, frozen=True):
    results: tuple[_Result, ...] = ()


class _Allocation(msgspec.Struct, frozen=True):
    devices: _Devices = _Devices()


class _ClaimStatus(msgspec.Struct, frozen=True, rename="camel"):
    reserved_for: tuple[_Consumer, ...] = ()
    allocation: _Allocation | None = None


class _ApiClaim(msgspec.Struct, frozen=True):
    metadata: ObjectMeta
    status: _ClaimStatus = _ClaimStatus()


class Claims(Protocol):
    """The claims and slices of the API."""

    async def get(self, namespace: str, name: str) -> Claim:
        """The present claim. Raises NotFound and other PodwrightErrors."""

    async def withdraw(self, driver: str) -> None:
        """Delete the slices of a driver for this node. An empty `driver` means all drivers.

        Raises PodwrightError.
        """


class ApiClaims:
    """Implements `Claims` with an API server."""

    def __init__(self, server: ApiServer, node_name: str) -> None:
        self._server = server
        self._node_name = node_name

    async def get(self, namespace: str, name: str) -> Claim:
        try:
            body = await self._server.raw(RawRequest(path=f"{BASE}/namespaces/{namespace}/resourceclaims/{name}"))
        except NotFound as failure:
            raise NotFound(f"fetch ResourceClaim {name}: {failure}") from failure
        return read_claim(body)

    async def withdraw(self, driver: str) -> None:
        chosen = f"spec.nodeName={self._node_name}" + (f",spec.driver={driver}" if driver else "")
        request = RawRequest(path=f"{BASE}/resourceslices", method="DELETE", query={"fieldSelector": chosen})
        await self._server.raw(request)


class NoClaims:
    """Implements `Claims` without an API server: there are none."""

    async def get(self, namespace: str, name: str) -> Claim:
        raise Unavailable(
            f"fetch ResourceClaim {namespace}/{name}: there is no API server", hint="give a --kubeconfig"
        )

    async def withdraw(self, driver: str) -> None:
        pass


def read_claim(body: bytes) -> Claim:
    """Parse a ResourceClaim's JSON. Raises Internal if it is invalid."""
    try:
        found = msgspec.json.decode(body, type=_ApiClaim)
    except msgspec.DecodeError as failure:
        raise Internal(f"the API server's answer is no ResourceClaim: {failure}") from failure
    metadata, allocation = found.metadata, found.status.allocation
    return Claim(
        uid=metadata.uid,
        name=metadata.name,
        namespace=metadata.namespace,
        owner_uid=next((owner.uid for owner in metadata.owner_references if owner.controller), ""),
        reserved_for=frozenset(consumer.uid for consumer in found.status.reserved_for),
        drivers=None if allocation is None else tuple(sorted({each.driver for each in allocation.devices.results})),
    )
