"""What the status of a container says of another process that was killed for memory."""

from __future__ import annotations

import re

import pytest

from podwright.conformance.pods import running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.linux import memory_kills
from tests.harness.podwright import Podwright

pytestmark = [pytest.mark.root]

MIB = 1024 * 1024
LIMITS = api.LinuxContainerResources(memory_limit_in_bytes=15 * MIB, memory_swap_limit_in_bytes=15 * MIB)


@pytest.mark.parametrize("code", [3, 137])
async def test_the_victim_is_named(podwright_server: Podwright, busybox_image: str, code: int) -> None:
    """Even when the first process, a shell, passes on the victim's exit code."""
    script = f"dd if=/dev/zero of=/dev/null bs=40M; exit {code}"
    async with podwright_server.client() as client, running_pod(podwright_server.peer(client), busybox_image) as pod:
        container_id = await pod.run(("sh", "-c", script), linux=api.LinuxContainerConfig(resources=LIMITS))
        status = await pod.exited(container_id)
        if not memory_kills.logged(f"/{container_id}").victims:
            pytest.skip("too many kills on this host: the kernel does not log all of them")
        assert (status.exit_code, status.reason) == (code, "Error")
        assert re.fullmatch(r"the kernel killed for memory: dd \(PID \d+\)", status.message)
