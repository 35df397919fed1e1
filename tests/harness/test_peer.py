"""The harness itself, on the peer: a pod comes up, its container runs, and all of it goes away again."""

from __future__ import annotations

import ipaddress

import pytest

from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from tests.harness.containerd import Containerd

pytestmark = [pytest.mark.root, pytest.mark.peer]


async def test_containerd_runs_a_pod_from_the_loopback_registry(
    containerd_server: Containerd, busybox_image: str
) -> None:
    config = api.PodSandboxConfig(
        metadata=api.PodSandboxMetadata(name="peer", uid="peer-1", namespace="default", attempt=0),
        log_directory=str(containerd_server.directory / "logs"),
        linux=api.LinuxPodSandboxConfig(cgroup_parent=containerd_server.part.cgroup_parent),
    )
    container = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="main"),
        image=api.ImageSpec(image=busybox_image),
        command=["sleep", "1000"],
        log_path="main.log",
    )
    async with containerd_server.client() as cri:
        await cri.call(cri.images.PullImage, api.PullImageRequest(image=container.image))
        sandbox = await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config))
        answer = await _address(cri, sandbox.pod_sandbox_id, config, container)
        await cri.call(
            cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=sandbox.pod_sandbox_id)
        )
    assert answer.exit_code == 0
    assert ipaddress.IPv4Interface(answer.stdout.decode().strip()).ip in containerd_server.part.subnet


async def _address(
    cri: CriClient, sandbox_id: str, config: api.PodSandboxConfig, container: api.ContainerConfig
) -> api.ExecSyncResponse:
    made = await cri.call(
        cri.runtime.CreateContainer,
        api.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=container, sandbox_config=config),
    )
    await cri.call(cri.runtime.StartContainer, api.StartContainerRequest(container_id=made.container_id))
    command = ["sh", "-c", "ip -o -4 addr show eth0 | awk '{print $4}'"]
    return await cri.call(
        cri.runtime.ExecSync, api.ExecSyncRequest(container_id=made.container_id, cmd=command, timeout=10)
    )
