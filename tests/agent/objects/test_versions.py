"""Kinds of which a server may have an older version only."""

from __future__ import annotations

import asyncio
import json

import pytest

from podwright.agent.objects.versions import NewestVersion
from podwright.agent.pod_certificates.requests import VERSIONS, BetaRequest
from podwright.errors import FailedPrecondition, NotFound, Unavailable
from podwright.k8s.client.protocol import RawRequest
from podwright.k8s.objects import PodCertificateRequest


class Discovery:
    """A server that answers these bodies by version, and counts."""

    def __init__(self, **bodies: bytes) -> None:
        self.bodies = bodies
        self.count = 0

    async def raw(self, request: RawRequest) -> bytes:
        self.count += 1
        version = request.path.rpartition("/")[2]
        if version not in self.bodies:
            raise NotFound(request.path)
        return self.bodies[version]


def listed(*names: str) -> bytes:
    return json.dumps({"kind": "APIResourceList", "resources": [{"name": name} for name in names]}).encode()


def newest(server: Discovery) -> NewestVersion[PodCertificateRequest]:
    return NewestVersion(server, VERSIONS, "PodCertificateRequests", "Gate")  # type: ignore[arg-type] # what it is asked


def test_the_newest_that_there_is_is_found_once() -> None:
    server = Discovery(v1=listed("other"), v1beta1=listed("podcertificaterequests"))
    version = newest(server)
    assert asyncio.run(version.find()) is BetaRequest
    assert asyncio.run(version.find()) is BetaRequest
    assert server.count == 2


def test_none_is_said_with_what_turns_it_on() -> None:
    with pytest.raises(FailedPrecondition, match="has no PodCertificateRequests") as raised:
        asyncio.run(newest(Discovery(v1=listed())).find())
    assert "Gate" in raised.value.hint


def test_garbage_is_asked_for_again() -> None:
    server = Discovery(v1=b"<html>")
    version = newest(server)
    with pytest.raises(Unavailable, match="is invalid"):
        asyncio.run(version.find())
    server.bodies["v1"] = listed("podcertificaterequests")
    assert asyncio.run(version.find()) is PodCertificateRequest
