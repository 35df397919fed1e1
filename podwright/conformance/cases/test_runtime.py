"""Version, Status, RuntimeConfig."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network

import pytest

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument


async def test_version_has_all_its_strings(cri_server: CriPeer) -> None:
    cri = cri_server.client
    version = await cri.call(cri.runtime.Version, api.VersionRequest(version="0.1.0"))
    assert version.version
    assert version.runtime_name == cri_server.name
    assert version.runtime_version
    assert version.runtime_api_version == "v1"


async def test_both_conditions_are_true(cri_server: CriPeer) -> None:
    cri = cri_server.client
    response = await cri.call(cri.runtime.Status, api.StatusRequest(verbose=True))
    conditions = {condition.type: condition for condition in response.status.conditions}
    assert conditions["RuntimeReady"].status
    assert conditions["NetworkReady"].status
    assert "config" in response.info


@pytest.mark.deviates("containerd", "1.6 came before the RPC")
async def test_cgroup_driver(cri_server: CriPeer) -> None:
    cri = cri_server.client
    response = await cri.call(cri.runtime.RuntimeConfig, api.RuntimeConfigRequest())
    assert response.HasField("linux")
    assert response.linux.cgroup_driver in (api.SYSTEMD, api.CGROUPFS)


async def test_the_pod_cidr_in_use_is_taken_again(cri_server: CriPeer, pod: CasePod, run_pod: RunPod) -> None:
    """With an IPv6 network beside it. No other one is asked for, since a node keeps what it is given."""
    before = await network_of(pod)
    await set_pod_cidr(cri_server, f"{before},fd00::/64")
    async with run_pod() as later:
        assert await network_of(later) == before
    await pod.exec(await pod.run(), "ping", "-c", "1", "-W", "10", str(before[1]))


async def test_no_pod_cidr_changes_nothing(cri_server: CriPeer, pod: CasePod, run_pod: RunPod) -> None:
    await set_pod_cidr(cri_server, "")
    async with run_pod() as later:
        assert await network_of(later) == await network_of(pod)


@pytest.mark.deviates("cri-o", "does not look at it")
@pytest.mark.deviates("containerd", "takes anything unless it makes CNI configs from a template")
@pytest.mark.parametrize("pod_cidr", ["10.0.0.0/99", "10.0.0.0", "10.0.0.0/24,", "fd00::/200", "nonsense"])
async def test_a_pod_cidr_that_is_none_is_refused(cri_server: CriPeer, pod_cidr: str) -> None:
    with pytest.raises(InvalidArgument):
        await set_pod_cidr(cri_server, pod_cidr)


async def set_pod_cidr(cri_server: CriPeer, text: str) -> None:
    cri = cri_server.client
    network = api.NetworkConfig(pod_cidr=text)
    request = api.UpdateRuntimeConfigRequest(runtime_config=api.RuntimeConfig(network_config=network))
    await cri.call(cri.runtime.UpdateRuntimeConfig, request)


async def network_of(pod: CasePod) -> IPv4Network:
    """The network of the pod's eth0, as the pod sees it."""
    shown = await pod.exec(await pod.run(), "ip", "-4", "address", "show", "eth0")
    words = shown.stdout.decode().split()
    return IPv4Interface(words[words.index("inet") + 1]).network


@pytest.mark.deviates("containerd", "1.6 came before the field")
async def test_handlers_are_told_and_the_default_has_no_name(cri_server: CriPeer) -> None:
    cri = cri_server.client
    handlers = (await cri.call(cri.runtime.Status, api.StatusRequest())).runtime_handlers
    names = [handler.name for handler in handlers]
    assert "" in names
    assert len(names) == len(set(names)) >= 2
    default = next(handler for handler in handlers if not handler.name)
    assert any(handler.features == default.features for handler in handlers if handler.name)


async def test_image_filesystem_is_known_from_the_start(cri_server: CriPeer) -> None:
    cri = cri_server.client
    response = await cri.call(cri.images.ImageFsInfo, api.ImageFsInfoRequest())
    first = response.image_filesystems[0]
    assert first.timestamp > 0
    assert first.fs_id.mountpoint.startswith("/")
