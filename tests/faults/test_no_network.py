"""No network configuration, and plugins that fail: the condition says so, pods of the host's network run anyway."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.pods import CasePod, sandbox_config
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, PodwrightError
from tests.faults.conftest import HASTY_S
from tests.faults.faulty import HANDLER, FaultyRuntime
from tests.faults.node import Node, eventually, running_node
from tests.fixtures import FreshPodwright
from tests.harness.cni import BIN_DIR, bridge_conf

pytestmark = [pytest.mark.root]

HOST_NETWORK = api.NamespaceOption(network=api.NODE, pid=api.CONTAINER)
SHARED_PID = api.NamespaceOption(pid=api.POD)
PLUGIN = '#!/bin/sh\n[ "$CNI_COMMAND" = {command} ] || exit 0\n{deed}\n'
REFUSAL = """echo '{"cniVersion": "0.4.0", "code": 7, "msg": "made up: no cable"}'; exit 1"""
BROKEN_PLUGINS = {
    "fails": REFUSAL,
    "dies": "kill -9 $$",
    "lies": "head -c 5000 /dev/urandom",
    "hangs": "sleep 1000",
}

KEEPS = f"""\
#!{sys.executable}
import json, os, sys
request = json.load(sys.stdin)
if os.environ["CNI_COMMAND"] == "ADD":
    print(json.dumps(request["prevResult"]))
if os.environ["CNI_COMMAND"] == "DEL":
    print('{{"cniVersion": "0.4.0", "code": 7, "msg": "made up: no cable"}}')
    sys.exit(1)
"""

# Ends when the pod's first process is under way.
WAITS = f"""\
#!{sys.executable}
import json, os, sys, time
request = json.load(sys.stdin)
if os.environ["CNI_COMMAND"] == "ADD":
    while not os.path.exists(os.path.dirname(os.environ["CNI_NETNS"]) + "/infra/config.json"):
        time.sleep(0.01)
    print(json.dumps(request["prevResult"]))
"""


@pytest.fixture
def conf_dir(tmp_path: Path) -> Path:
    """Empty at first."""
    folder = tmp_path / "net.d"
    folder.mkdir()
    return folder


@pytest_asyncio.fixture
async def cni_node(
    fresh_podwright: FreshPodwright, busybox_image: str, conf_dir: Path, tmp_path: Path, faulty: FaultyRuntime
) -> AsyncIterator[Node]:
    """A daemon that insists on CNI, with a handler that fails on demand besides."""
    network = {
        "mode": "cni",
        "cni_conf_dir": str(conf_dir),
        "cni_bin_dirs": [str(tmp_path / "bin"), str(BIN_DIR)],
        "timeout_s": HASTY_S,
    }
    settings = {"network": network, **faulty.settings(timeout_s=HASTY_S)}
    async with running_node(fresh_podwright(settings), busybox_image) as node:
        yield node
        bridge = ("ip", "link", "delete", node.server.part.bridge)  # which its plugin never removes
        await asyncio.to_thread(subprocess.run, bridge, capture_output=True, check=False)


async def _condition(node: Node) -> api.RuntimeCondition:
    response = await node.cri.call(node.cri.runtime.Status, api.StatusRequest())
    (found,) = [condition for condition in response.status.conditions if condition.type == "NetworkReady"]
    return found


async def test_no_configuration_until_one_appears(cni_node: Node, conf_dir: Path) -> None:
    condition = await _condition(cni_node)
    assert (condition.status, condition.reason) == (False, "NetworkPluginNotReady")
    assert str(conf_dir) in condition.message
    await cni_node.pull()
    with pytest.raises(FailedPrecondition, match=str(conf_dir)):
        await cni_node.sandbox(cni_node.config())
    assert await cni_node.listed() == []
    await cni_node.audited()
    host = await cni_node.sandbox(cni_node.config(namespaces=HOST_NETWORK))
    assert await host.output("echo", "runs", name="main") == "runs\n"
    _write(conf_dir, bridge_conf(cni_node.server.part, "later"))

    async def ready() -> bool:
        return bool((await _condition(cni_node)).status)

    await eventually(ready, "the network is ready")
    pod = await cni_node.sandbox(cni_node.config())
    assert (await cni_node.status(pod)).network.ip
    (conf_dir / "10-test.conflist").unlink()
    assert not (await _condition(cni_node)).status
    await cni_node.remove(pod)  # what was attached is detached without the configuration
    await cni_node.emptied()


async def test_broken_configurations(cni_node: Node, conf_dir: Path) -> None:
    for text in ("", "{", '{"cniVersion": "0.4.0", "name": "x"}', "[]", "\x00" * 100):
        (conf_dir / "10-broken.conflist").write_text(text)
        condition = await _condition(cni_node)
        assert (condition.status, condition.reason) == (False, "NetworkPluginNotReady")
        assert "10-broken.conflist" in condition.message
        with pytest.raises(FailedPrecondition, match=r"10-broken\.conflist"):
            await cni_node.sandbox(cni_node.config())
    assert await cni_node.listed() == []
    await cni_node.audited()


@pytest.mark.parametrize("plugin", sorted(BROKEN_PLUGINS))
async def test_broken_plugin(cni_node: Node, conf_dir: Path, tmp_path: Path, plugin: str) -> None:
    _add_plugin(cni_node, conf_dir, tmp_path, plugin, PLUGIN.format(command="ADD", deed=BROKEN_PLUGINS[plugin]))
    with pytest.raises(PodwrightError, match=plugin) as refused:
        await cni_node.sandbox(cni_node.config())
    assert "Traceback" not in str(refused.value)
    assert await cni_node.listed() == []
    await cni_node.audited()
    assert _addresses(cni_node) == []
    _write(conf_dir, bridge_conf(cni_node.server.part, "broken"))
    await cni_node.sandbox(cni_node.config())
    await cni_node.emptied()
    assert _addresses(cni_node) == []


async def test_plugins_run_while_the_first_process_starts(cni_node: Node, conf_dir: Path, tmp_path: Path) -> None:
    _add_plugin(cni_node, conf_dir, tmp_path, "waits", WAITS)
    pod = await cni_node.sandbox(cni_node.config(namespaces=SHARED_PID))
    assert (await cni_node.status(pod)).network.ip
    await cni_node.audited()
    await cni_node.emptied()
    assert _addresses(cni_node) == []


@pytest.mark.parametrize("plugin", ["fails", "hangs"])
async def test_a_first_process_without_a_network(cni_node: Node, conf_dir: Path, tmp_path: Path, plugin: str) -> None:
    _add_plugin(cni_node, conf_dir, tmp_path, plugin, PLUGIN.format(command="ADD", deed=BROKEN_PLUGINS[plugin]))
    with pytest.raises(PodwrightError, match=plugin):
        await cni_node.sandbox(cni_node.config(namespaces=SHARED_PID))
    assert await cni_node.listed() == []
    await cni_node.audited()  # no process either
    assert _addresses(cni_node) == []


@pytest.mark.parametrize("fault", ["fail run", "hang after run"])
async def test_a_network_without_a_first_process(
    cni_node: Node, conf_dir: Path, faulty: FaultyRuntime, fault: str
) -> None:
    _write(conf_dir, bridge_conf(cni_node.server.part, "alone"))
    faulty.commit(fault)
    with pytest.raises(PodwrightError, match=r"cannot run|did not end"):
        await cni_node.sandbox(cni_node.config(namespaces=SHARED_PID), HANDLER)
    faulty.behave()
    assert await cni_node.listed() == []
    await cni_node.audited()
    assert _addresses(cni_node) == []


async def test_a_plugin_that_does_not_let_go(cni_node: Node, conf_dir: Path, tmp_path: Path) -> None:
    program = _add_plugin(cni_node, conf_dir, tmp_path, "keeps", KEEPS)
    pod = await cni_node.sandbox(cni_node.config(namespaces=SHARED_PID))
    first_process = await _first_process(cni_node, pod)
    assert first_process.exists()
    with pytest.raises(PodwrightError, match="made up: no cable"):
        await cni_node.remove(pod)
    assert not first_process.exists()
    assert (await cni_node.status(pod)).state == api.SANDBOX_NOTREADY
    await cni_node.again()
    with pytest.raises(PodwrightError, match="made up: no cable"):
        await cni_node.remove(pod)
    program.write_text("#!/bin/sh\nexit 0\n")
    await cni_node.emptied()
    assert _addresses(cni_node) == []


async def test_missing_plugin(cni_node: Node, conf_dir: Path) -> None:
    _write(conf_dir, {"cniVersion": "0.4.0", "name": "x", "plugins": [{"type": "no-such-plugin"}]})
    condition = await _condition(cni_node)
    assert not condition.status
    assert "no-such-plugin is not installed" in condition.message
    with pytest.raises(FailedPrecondition, match="no-such-plugin is not installed"):
        await cni_node.sandbox(cni_node.config())
    assert await cni_node.listed() == []


@pytest.mark.parametrize("delay_ms", [2, 8, 20, 50, 90])
async def test_killed_while_plugins_run(cni_node: Node, conf_dir: Path, delay_ms: int) -> None:
    _write(conf_dir, bridge_conf(cni_node.server.part, "killed"))
    config = sandbox_config(cni_node.peer)
    asked = asyncio.ensure_future(cni_node.sandbox(config))
    await asyncio.sleep(delay_ms / 1e3)
    cni_node.server.kill9()
    await asyncio.gather(asked, return_exceptions=True)
    await cni_node.again()
    await cni_node.audited()
    cni_node.pods = [await cni_node.sandbox(config)]
    assert len(_addresses(cni_node)) == 1
    await cni_node.emptied()
    assert _addresses(cni_node) == []


def _add_plugin(node: Node, conf_dir: Path, tmp_path: Path, name: str, text: str) -> Path:
    """A program of that text as the last plugin of the network."""
    program = tmp_path / "bin" / name
    program.parent.mkdir()
    program.write_text(text)
    program.chmod(0o755)
    network = bridge_conf(node.server.part, "broken")
    network["plugins"].append({"type": name})
    _write(conf_dir, network)
    return program


def _write(conf_dir: Path, document: object) -> None:
    (conf_dir / "10-test.conflist").write_text(json.dumps(document))


async def _first_process(node: Node, pod: CasePod) -> Path:
    request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id, verbose=True)
    answer = await node.cri.call(node.cri.runtime.PodSandboxStatus, request)
    return Path(f"/proc/{json.loads(answer.info['info'])['pid']}")


def _addresses(node: Node) -> list[str]:
    """What host-local has given out."""
    return [path.name for path in node.server.part.directory.glob("ipam/*/[0-9]*")]
