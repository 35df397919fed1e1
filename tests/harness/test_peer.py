"""The harness itself, on each peer: a pod comes up, its container runs, and all of it goes away again."""

from __future__ import annotations

import ipaddress

import pytest

from podwright.conformance.pods import running_pod
from tests.harness.server import CriServer

pytestmark = [pytest.mark.root, pytest.mark.peer]
ADDRESS = "ip -o -4 addr show eth0 | awk '{print $4}'"


@pytest.fixture(params=["containerd", "crio"])
def peer_server(request: pytest.FixtureRequest) -> CriServer:
    """Each peer in turn."""
    server: CriServer = request.getfixturevalue(f"{request.param}_server")
    return server


async def test_a_peer_runs_a_pod_from_the_loopback_registry(peer_server: CriServer, busybox_image: str) -> None:
    async with peer_server.client() as client, running_pod(peer_server.peer(client), busybox_image) as pod:
        answer = await pod.exec(await pod.run(), "sh", "-c", ADDRESS)
    assert answer.exit_code == 0
    assert ipaddress.IPv4Interface(answer.stdout.decode().strip()).ip in peer_server.part.subnet
