"""A state directory as servers have it: systemd mounts /run with nodev, and no device opens there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.pods import running_pod
from podwright.cri.v1 import api_pb2 as api
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright

pytestmark = pytest.mark.root


@contextmanager
def mounted_nodev(server: Podwright) -> Iterator[None]:
    """The server runs, and no device opens in its state directory."""
    server.state.mkdir(mode=0o700)
    _run("mount", "-t", "tmpfs", "-o", "nosuid,nodev,mode=0700", "state", str(server.state))
    try:
        server.start()
        yield
        server.remove_pods()
        server.stop()
    finally:
        _run("umount", "--lazy", str(server.state))  # the server may still run when a test has failed


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=patient(20.0))


@pytest.mark.parametrize(("runtime", "kind"), [("crun", "oci"), ("runc", "oci"), ("runc", "shim")])
async def test_pods_that_share_pids(
    fresh_podwright: FreshPodwright, busybox_image: str, runtime: str, kind: str
) -> None:
    server = fresh_podwright({"handlers": {runtime: {"type": kind}}, "default_handler": runtime}, start=False)
    with mounted_nodev(server):
        async with (
            server.client() as client,
            running_pod(server.peer(client), busybox_image, namespaces=api.NamespaceOption(pid=api.POD)) as pod,
        ):
            container = await pod.run_ready()
            assert (await pod.exec(container, "ps")).exit_code == 0
