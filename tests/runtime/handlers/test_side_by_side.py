"""One daemon, a pod on each handler: chosen by name, all in one list, and still there after a kill and a restart."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from podwright.conformance.pods import CasePod, running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError
from tests.fixtures import FreshPodwright
from tests.runtime.handlers import packages

pytestmark = pytest.mark.root

EXAMPLE = Path(__file__).parents[3] / "examples/handlers/bubblewrap/podwright_bubblewrap.py"
HANDLERS = ("crun", "runc", "runsc", "shim", "wrapped")
SETTINGS: dict[str, Any] = {
    "default_handler": "crun",
    "handlers": {
        "crun": {},
        "runc": {},
        "runsc": {"arguments": ["--platform=ptrace", "--network=host"]},
        "shim": {"type": "shim"},
        "wrapped": {"type": "bubblewrap"},
        "broken": {"type": "broken"},
    },
}


async def check(pods: dict[str, tuple[CasePod, str]]) -> None:
    """Everything of each pod works: its state, its log, a command, its usage."""
    for name, (pod, container) in pods.items():
        assert (await pod.status(container)).state == api.CONTAINER_RUNNING, name
        assert "ready" in pod.log(container), name
        assert (await pod.exec(container, "echo", name)).stdout.decode().strip() == name
        request = api.ContainerStatsRequest(container_id=container)
        stats = (await pod.cri.call(pod.cri.runtime.ContainerStats, request)).stats
        assert stats.attributes.id == container, name


async def test_a_pod_on_each(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken_handlers.py"
    broken.write_text("raise RuntimeError('no luck today')\n")
    packages.install(EXAMPLE, tmp_path / "site")
    packages.install(broken, tmp_path / "site", kind="broken")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    server = fresh_podwright(SETTINGS)
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(server.client())
        pods = {}
        for name in HANDLERS:
            running = running_pod(server.peer(client), busybox_image, runtime_handler=name)
            pod = await stack.enter_async_context(running)
            pods[name] = (pod, await pod.run_ready())
        with pytest.raises(PodwrightError, match=r"'broken' cannot be used.*no luck today"):
            await stack.enter_async_context(running_pod(server.peer(client), busybox_image, runtime_handler="broken"))
        await check(pods)
        server.kill9()
        server.start()
        await check(pods)
        for name, (pod, container) in pods.items():
            await pod.stop(container, timeout=1)
            assert (await pod.exited(container)).exit_code in (0, 137, 143), name
