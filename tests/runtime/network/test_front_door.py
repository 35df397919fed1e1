"""What a CRI client sees of the above: the daemon runs on a host of the test's own, in a network namespace."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import remove_pod, sandbox_config
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright
from tests.runtime.network.pods import HOST, OUTSIDE_ADDRESS, TIMEOUT_S, Pod, dial, on_host, serving

pytestmark = pytest.mark.root

HOST_PORT = 8080
WEB = api.PortMapping(container_port=80, host_port=HOST_PORT)
DEADLINE_S = patient(60.0)


@pytest.fixture
def daemon(own_host: Pod, fresh_podwright: FreshPodwright) -> Podwright:
    """A daemon that sees the host of the test's own: it is started from there."""
    del own_host
    return fresh_podwright()


@pytest_asyncio.fixture
async def cri(daemon: Podwright) -> AsyncIterator[CriPeer]:
    """The daemon as a client sees it."""
    async with daemon.client() as client:
        yield daemon.peer(client)


def inside(daemon: Podwright, sandbox_id: str) -> Pod:
    """The sandbox's network namespace."""
    return Pod(netns=f"{daemon.state}/sandboxes/{sandbox_id}/netns")


@contextlib.asynccontextmanager
async def sandbox(cri: CriPeer, **fields: object) -> AsyncIterator[str]:
    """A sandbox's id. Without containers: the registry of the images is not on this host."""
    config = sandbox_config(cri, **fields)
    Path(config.log_directory).mkdir(parents=True)
    request = api.RunPodSandboxRequest(config=config)
    made = await cri.client.call(cri.client.runtime.RunPodSandbox, request)
    try:
        yield made.pod_sandbox_id
    finally:
        await remove_pod(cri.client, made.pod_sandbox_id)


async def network_ready(cri: CriPeer) -> api.RuntimeCondition:
    status = await cri.client.call(cri.client.runtime.Status, api.StatusRequest())
    return next(condition for condition in status.status.conditions if condition.type == "NetworkReady")


async def works(pod: Pod, timeout_s: float = TIMEOUT_S) -> bool:
    """The way out, and the way in through the host port."""
    try:
        out = await dial(pod, OUTSIDE_ADDRESS, 80, timeout_s=timeout_s)
        answer = await dial(HOST, "127.0.0.1", HOST_PORT, timeout_s=timeout_s)
    except OSError:
        return False
    return out.startswith("outside ") and answer.startswith("web ")


async def test_a_flushed_ruleset_comes_back(daemon: Podwright, cri: CriPeer, own_host: Pod) -> None:
    async with sandbox(cri, port_mappings=[WEB]) as web:
        pod = inside(daemon, web)
        async with serving(own_host, 80, "outside"), serving(pod, 80, "web"):
            assert await works(pod)
            on_host("nft", "flush", "ruleset")
            async with asyncio.timeout(DEADLINE_S):
                while not await works(pod, 0.5):  # noqa: ASYNC110 # packets do not tell
                    await asyncio.sleep(0.1)
            on_host("nft", "flush", "ruleset")
            async with sandbox(cri) as fresh:
                assert (await dial(inside(daemon, fresh), OUTSIDE_ADDRESS, 80)).startswith("outside ")
            on_host("nft", "flush", "ruleset")
            if (await network_ready(cri)).status:
                assert await works(pod)


async def test_network_ready_says_what_is_wrong(daemon: Podwright, cri: CriPeer) -> None:
    async with sandbox(cri):
        on_host("ip", "link", "delete", daemon.part.bridge)
        on_host("ip", "route", "add", str(daemon.part.subnet), "dev", "up0")
        condition = await network_ready(cri)
        assert (condition.status, condition.reason) == (False, "NetworkPluginNotReady")
        assert f"{daemon.part.subnet} dev up0" in condition.message
        on_host("ip", "route", "delete", str(daemon.part.subnet), "dev", "up0")
        async with asyncio.timeout(DEADLINE_S):
            while not (await network_ready(cri)).status:  # noqa: ASYNC110 # a condition is asked for
                await asyncio.sleep(0.1)


async def set_pod_cidr(cri: CriPeer, text: str) -> None:
    network = api.NetworkConfig(pod_cidr=text)
    request = api.UpdateRuntimeConfigRequest(runtime_config=api.RuntimeConfig(network_config=network))
    await cri.client.call(cri.client.runtime.UpdateRuntimeConfig, request)


async def address(cri: CriPeer, sandbox_id: str) -> IPv4Address:
    request = api.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
    return IPv4Address((await cri.client.call(cri.client.runtime.PodSandboxStatus, request)).status.network.ip)


async def test_new_pods_are_in_the_pod_cidr(daemon: Podwright, cri: CriPeer, own_host: Pod) -> None:
    async with sandbox(cri, port_mappings=[WEB]) as old, serving(own_host, 80, "outside"):
        await set_pod_cidr(cri, "10.200.7.0/24,fd00::/64")
        async with sandbox(cri) as new:
            assert await address(cri, old) in daemon.part.subnet
            assert await address(cri, new) in ip_network("10.200.7.0/24")
        daemon.restart()
        async with sandbox(cri) as later, serving(inside(daemon, old), 80, "web"):
            assert await address(cri, later) in ip_network("10.200.7.0/24")
            assert await works(inside(daemon, old))


async def test_a_pod_cidr_with_a_cni_configuration(own_host: Pod, fresh_podwright: FreshPodwright) -> None:
    del own_host
    daemon = fresh_podwright({"network": {"mode": "cni"}})
    async with daemon.client() as client:
        cri = daemon.peer(client)
        await set_pod_cidr(cri, "10.200.7.0/24")
        with pytest.raises(InvalidArgument, match="pod_cidr"):
            await set_pod_cidr(cri, "10.200.7.0")
    lines = [line for line in daemon.log.read_text().splitlines() if "pod_cidr" in line and "is ignored" in line]
    assert len(lines) == 1
