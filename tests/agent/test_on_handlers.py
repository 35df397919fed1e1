"""`podwright agent` on one node with every handler: a RuntimeClass chooses, and each pod has all that a pod has.

The daemons below are killed and restarted in between, and so is the agent. No container may notice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.streams import CollectingSink, Given, forwarded
from podwright.k8s.objects import ObjectMeta, RuntimeClass
from podwright.streams.client.command import CommandStreams, run_command
from podwright.streams.client.port_forward import forwarding
from podwright.streams.remote_command.status import Outcome
from tests.agent import api_pods
from tests.agent.api_pods import NODE, bind, delete_all, is_ready, pod
from tests.agent.server.node import ApiNode, api_node
from tests.fixtures import FreshPodwright
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.docker import DockerEngine
from tests.harness.podwright import Podwright, PodwrightOnDocker
from tests.harness.scratch import Scratch
from tests.runtime.handlers import packages
from tests.runtime.handlers.test_side_by_side import EXAMPLE, HANDLERS, SETTINGS

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(600)]

WAIT_S = patient(60.0)
POLL_S = 0.2
PORT = 7007
ENGINE_RUNTIMES = ("crun", "runc")
SPEC = """
runtimeClassName: {name}
containers:
- name: main
  image: {image}
  command: [sh, -c, 'echo ready on {name}; trap exit TERM; while :; do nc -l -p {port} -e echo hello & wait; done']
  readinessProbe: {{exec: {{command: [cat, /etc/hosts]}}, periodSeconds: 1}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerNode:
    """An agent that has joined an API server, on `server`, whose handlers the RuntimeClasses of these names choose."""

    node: ApiNode
    api: ApiServerThread
    server: Podwright
    engine: DockerEngine | None
    names: Sequence[str]


@pytest.fixture(params=["native", "docker"])
def handlers(
    request: pytest.FixtureRequest,
    scratch: Scratch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[HandlerNode]:
    if request.param == "native":
        packages.install(EXAMPLE, tmp_path / "site")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
        wanted = {name: SETTINGS["handlers"][name] for name in HANDLERS}
        fresh: FreshPodwright = request.getfixturevalue("fresh_podwright")
        server = fresh({**SETTINGS, "handlers": wanted})
        yield from _joined(server, None, HANDLERS, scratch, tmp_path)
        return
    with DockerEngine(scratch.part("eng"), networks=False, runtimes=("crun",)) as engine:
        engine.start()
        with PodwrightOnDocker(scratch.part("pwd"), engine) as server:
            server.start()
            yield from _joined(server, engine, ENGINE_RUNTIMES, scratch, tmp_path)


def _joined(
    server: Podwright, engine: DockerEngine | None, names: Sequence[str], scratch: Scratch, folder: Path
) -> Iterator[HandlerNode]:
    with ApiServerThread() as api:
        for name in names:
            api.put(RuntimeClass(metadata=ObjectMeta(name=f"on-{name}"), handler=name))
        flags = [f"--kubeconfig={api.kubeconfig(str(folder))}", f"--hostname-override={NODE}"]
        with api_node(scratch.part("agent"), server.endpoint, flags=flags) as node:
            yield HandlerNode(node=node, api=api, server=server, engine=engine, names=names)
            delete_all(node.agent, api)


async def check(on: HandlerNode, name: str) -> None:
    """A pod's log, a command with stdin, a port, and its usage."""
    node = on.node
    assert await log_of(node, name) == f"ready on {name}\n", name
    out, streams = CollectingSink(), [("input", "1"), ("output", "1")]
    url = node.url(f"/exec/default/{name}/main", [("command", "wc"), ("command", "-c"), *streams])
    given = CommandStreams(stdin=Given(b"x" * 1000), stdout=out)
    assert await run_command(url, given, tls=node.admin) == Outcome(), name
    assert bytes(out.data).strip() == b"1000", name
    forward = node.url(f"/portForward/default/{name}")
    async with (
        asyncio.timeout(WAIT_S),
        forwarding(forward, tls=node.admin) as forwarder,
        forwarded(forwarder, PORT) as connection,
    ):
        assert await asyncio.get_running_loop().sock_recv(connection, 100) == b"hello\n", name
    await until_measured(node, name)


async def log_of(node: ApiNode, name: str) -> str:
    """Its log. An agent that has lost the runtime finds it again after a moment."""
    deadline = time.monotonic() + WAIT_S
    while True:
        answer = await node.ask(f"/containerLogs/default/{name}/main")
        if answer.status == 200:
            return answer.text
        assert time.monotonic() < deadline, (name, answer.text)
        await asyncio.sleep(POLL_S)


async def until_measured(node: ApiNode, name: str) -> None:
    """The summary has the pod's memory, and its container."""
    deadline = time.monotonic() + WAIT_S
    while True:
        summary = (await node.ask("/stats/summary")).json
        found = [each for each in summary["pods"] if each["podRef"]["name"] == name]
        if found and found[0].get("memory", {}).get("workingSetBytes", 0) > 0:
            assert [each["name"] for each in found[0]["containers"]] == ["main"], name
            return
        assert time.monotonic() < deadline, (name, found)
        await asyncio.sleep(POLL_S)


def containers(on: HandlerNode) -> dict[str, tuple[str, int]]:
    """The id of each pod's container, and how often it was started again."""
    found = {}
    for name in on.names:
        shown = pod(on.api, f"on-{name}")
        assert shown is not None
        (status,) = shown.status.container_statuses
        found[name] = (status.container_id, status.restart_count)
    return found


async def test_a_pod_on_each_by_its_runtime_class(handlers: HandlerNode, busybox_image: str) -> None:
    on, agent = handlers, handlers.node.agent
    for name in on.names:
        spec = SPEC.format(name=f"on-{name}", image=busybox_image, port=PORT)
        bind(on.api, f"on-{name}", spec)
    agent.until(lambda: all(is_ready(on.api, f"on-{name}") for name in on.names), "all pods are ready", WAIT_S)
    before = containers(on)
    assert all(restarts == 0 for _, restarts in before.values())
    await check_all(on)

    on.server.kill9()
    if on.engine is not None:
        on.engine.stop()
        on.engine.start()
    on.server.start()
    await check_all(on)
    agent.kill9()
    on.server.stop()
    on.server.start()
    agent.start()
    await check_all(on)
    assert containers(on) == before

    for name in on.names:
        api_pods.delete(on.api, f"on-{name}")
    agent.until(lambda: not any(pod(on.api, f"on-{name}") for name in on.names), "all pods are gone", WAIT_S)


async def check_all(on: HandlerNode) -> None:
    """Check every pod."""
    for name in on.names:
        await check(on, f"on-{name}")


def test_a_class_whose_handler_is_not_there(handlers: HandlerNode, busybox_image: str) -> None:
    """Its pod waits with a reason, and another one runs."""
    on, agent = handlers, handlers.node.agent
    on.api.put(RuntimeClass(metadata=ObjectMeta(name="on-none"), handler="none"))
    for name in ("on-none", f"on-{on.names[0]}"):
        bind(on.api, name, SPEC.format(name=name, image=busybox_image, port=PORT))
    agent.until(lambda: is_ready(on.api, f"on-{on.names[0]}"), "the pod of a handler is ready", WAIT_S)

    def reasons() -> list[str]:
        found = api_pods.event_documents(on.api, "on-none", "FailedCreatePodSandBox")
        return [each["message"] for each in found]

    agent.until(lambda: any("'none'" in each or '"none"' in each for each in reasons()), "an event says why", WAIT_S)
