"""kubectl, which is not ours, works on the server: what it is fit for beside our own client."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.patience import patient
from podwright.k8s.objects import ConfigMap, Pod
from tests.harness.apiserver.server import ApiServer, running
from tests.harness.processes import ended

# The variable names another one to try.
PROGRAM = os.environ.get("PODWRIGHT_KUBECTL", "kubectl")
pytestmark = pytest.mark.peer

MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: a, image: busybox, env: [{name: X, value: "1"}]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: COLOUR}
"""


class Kubectl:
    """Runs it with the admin's kubeconfig."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self._environ = {
            "KUBECONFIG": server.kubeconfig(str(folder)),
            "HOME": str(folder),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
        }

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl, which has to succeed. Returns its output."""
        code, out, err = await self.run(*arguments, stdin=stdin)
        assert code == 0, err
        return out

    async def run(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *arguments,
            env=self._environ,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        async with ended(process, within_s=patient(60)):
            out, err = await process.communicate(stdin.encode())
        return process.returncode or 0, out.decode(), err.decode()

    def make_ready(self) -> None:
        """Write the status as a node's agent does, because Debian 12's kubectl cannot."""
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        name = {"name": "web", "namespace": "default"}
        self.server.put_document({"apiVersion": "v1", "kind": "Pod", "metadata": name, "status": status})

    async def apply(self, colour: str) -> str:
        return await self("apply", "-f", "-", stdin=MANIFEST.replace("COLOUR", colour))


@pytest_asyncio.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    async with running() as server:
        yield Kubectl(server, tmp_path)


async def test_apply_get_and_delete(kubectl: Kubectl) -> None:
    assert await kubectl.apply("red") == "pod/web created\nconfigmap/settings created\n"
    assert await kubectl.apply("red") == "pod/web unchanged\nconfigmap/settings unchanged\n"
    assert await kubectl.apply("blue") == "pod/web unchanged\nconfigmap/settings configured\n"
    assert kubectl.server.get(ConfigMap, "settings", "default").data == {"colour": "blue"}
    shown = json.loads(await kubectl("get", "pods,cm", "-A", "-o", "json"))
    assert [each["metadata"]["name"] for each in shown["items"]] == ["web", "settings"]
    assert "web" in await kubectl("get", "po", "-l", "app=web", "--field-selector", "spec.nodeName=n1")
    await kubectl("delete", "cm", "settings")
    code, _, err = await kubectl.run("get", "cm", "settings")
    assert (code, "not found" in err) == (1, True)


async def test_label_annotate_patch_and_edit_by_replace(kubectl: Kubectl) -> None:
    await kubectl.apply("red")
    await kubectl("label", "pod", "web", "tier=front")
    await kubectl("annotate", "pod", "web", "note=x")
    kubectl.make_ready()
    await kubectl("set", "image", "pod/web", "a=busybox:2")
    document = await kubectl("get", "cm", "settings", "-o", "json")
    await kubectl("replace", "-f", "-", stdin=document.replace("red", "green"))
    web = kubectl.server.get(Pod, "web", "default")
    assert (web.metadata.labels["tier"], web.metadata.annotations["note"], web.status.phase) == (
        "front",
        "x",
        "Running",
    )
    assert web.spec.containers[0].image == "busybox:2"
    assert kubectl.server.get(ConfigMap, "settings", "default").data == {"colour": "green"}


async def test_server_side_apply_taints_wait_and_force(kubectl: Kubectl) -> None:
    await kubectl("apply", "--server-side", "-f", "-", stdin=MANIFEST.replace("COLOUR", "red"))
    await kubectl("create", "-f", "-", stdin='{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}')
    await kubectl("taint", "node", "n1", "k=v:NoSchedule")
    await kubectl("cordon", "n1")
    waiting = asyncio.create_task(kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s"))
    await asyncio.sleep(0.3)
    kubectl.make_ready()
    await waiting
    await kubectl("delete", "pod", "web", "--wait=false", "--grace-period=9")
    assert kubectl.server.get(Pod, "web", "default").metadata.deletion_grace_period_seconds == 9
    await kubectl("delete", "pod", "web", "--force", "--grace-period=0")
    assert kubectl.server.get(Pod, "web", "default") is None
