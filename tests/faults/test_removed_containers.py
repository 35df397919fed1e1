"""Containers that somebody removes with the OCI runtime's own command, behind the daemon's back."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

import pytest

from podwright.conformance.patience import patient
from podwright.cri.v1 import api_pb2 as api
from tests.faults.node import running_node
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright

pytestmark = [pytest.mark.root]

HANDLERS: dict[str, Any] = {
    "crun": {},
    "runc": {},
    "runsc": {"arguments": ["--platform=ptrace", "--network=host"]},
    "shim": {"type": "shim"},
}
PROGRAMS = {"shim": "runc"}


def remove(server: Podwright, handler: str, container: str) -> None:
    """As an administrator does who knows where the runtime has its state."""
    root = server.state / "runtimes" / handler
    root = root / "k8s.io" if handler == "shim" else root
    argv = [PROGRAMS.get(handler, handler), f"--root={root}", "delete", "--force", container]
    subprocess.run(argv, check=True, timeout=patient(60.0))


@pytest.mark.parametrize("while_down", [False, True], ids=["daemon there", "daemon away"])
@pytest.mark.parametrize("handler", HANDLERS)
async def test_a_removed_container_has_ended(
    fresh_podwright: FreshPodwright, busybox_image: str, handler: str, while_down: bool
) -> None:
    """It has exited, its neighbours run, it can be started anew, and nothing is left of it."""
    server = fresh_podwright({"default_handler": "crun", "handlers": HANDLERS})
    async with running_node(server, busybox_image) as node:
        pod = await node.pod(handler=handler)
        victim, neighbour = await pod.run(name="main"), await pod.run(name="other")
        if while_down:
            server.kill9()
        await asyncio.to_thread(remove, server, handler, victim)
        if while_down:
            await node.again()
        status = await pod.exited(victim)
        assert status.exit_code != 0
        assert (await pod.status(neighbour)).state == api.CONTAINER_RUNNING
        assert (await pod.exec(neighbour, "echo", "fine")).stdout == b"fine\n"
        await pod.run(name="main", attempt=1)
        await node.cri.call(node.cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=victim))
        await node.audited()
        await node.emptied()
