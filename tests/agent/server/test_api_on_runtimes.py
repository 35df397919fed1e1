"""The API of a real agent, on Podwright and on containerd, asked by clients that have certificates."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from podwright.conformance.patience import patient
from podwright.conformance.streams import CollectingSink, Given, forwarded
from podwright.errors import PodwrightError
from podwright.streams.client.command import CommandStreams, run_command
from podwright.streams.client.dial import StreamTransport
from podwright.streams.client.port_forward import forwarding
from podwright.streams.remote_command.status import Outcome
from podwright.streams.wire import Buffer
from tests.agent.server.node import ApiNode, api_node
from tests.harness.authority import Authority
from tests.harness.scratch import Scratch

WAIT_S = patient(60.0)
WEB = """
  containers:
  - name: main
    image: {image}
    command:
    - sh
    - -c
    - 'echo two >&2; sleep 1; echo one; echo three; touch /data/ready; trap exit TERM; sleep 1000 & wait'
    volumeMounts: [{{name: data, mountPath: /data}}]
    readinessProbe: {{exec: {{command: [cat, /data/ready]}}, periodSeconds: 1, timeoutSeconds: 30}}
    livenessProbe: {{exec: {{command: [cat, /etc/hosts]}}, periodSeconds: 1, timeoutSeconds: 30}}
    resources: {{limits: {{memory: 64Mi}}}}
  - name: server
    image: {image}
    command: [sh, -c, 'trap exit TERM; nc -ll -p 7 -e cat & wait']
    readinessProbe: {{tcpSocket: {{port: 7}}, periodSeconds: 1}}
  - {{name: typist, image: {image}, stdin: true, tty: true, command: [sh]}}
  volumes:
  - {{name: data, emptyDir: {{}}}}
"""
CRASHER = """
  containers:
  - {{name: main, image: {image}, command: [sh, -c, 'echo last words; exit 3']}}
"""
BOTH = pytest.mark.parametrize("transport", [StreamTransport.SPDY, StreamTransport.WEBSOCKET])


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("podwright", marks=pytest.mark.root),
        pytest.param("containerd", marks=[pytest.mark.root, pytest.mark.peer]),
    ],
)
def node(request: pytest.FixtureRequest, scratch: Scratch, busybox_image: str) -> Iterator[ApiNode]:
    server = request.getfixturevalue(f"{request.param}_server")
    config = {"enableSystemLogQuery": True, "readOnlyPort": 0}
    with api_node(scratch.part("api"), server.endpoint, config) as made:
        yield made


@pytest.fixture(scope="module")
def web(node: ApiNode, busybox_image: str) -> str:
    return node.run("web", WEB.format(image=busybox_image))


async def test_who_may_ask(node: ApiNode, web: str) -> None:
    assert (await node.ask("/healthz")).text == "ok"
    refused = await node.ask("/healthz", tls=node.nobody)
    assert (refused.status, refused.text) == (401, "Unauthorized")
    assert (await node.ask("/no/such/path", tls=node.nobody)).status == 401
    assert (await node.ask("/healthz", tls=node.nobody, headers={"Authorization": "Bearer x"})).status == 401
    nameless = node.authority.client(node.authority.issue("", ["system:masters"]))
    assert (await node.ask("/pods", tls=nameless)).status == 401


async def test_certificates_that_are_no_good_end_the_handshake(node: ApiNode, web: str) -> None:
    stranger = Authority(node.agent.part.directory, "stranger")
    expired = node.authority.issue("admin", lasts=-dt.timedelta(hours=1))
    for issued in (stranger.issue("admin"), expired):
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await node.ask("/healthz", tls=node.authority.client(issued))
    assert (await node.ask("/healthz")).status == 200


async def test_pods(node: ApiNode, web: str) -> None:
    listed = await node.ask("/pods")
    assert listed.headers["Content-Type"] == "application/json"
    found = {pod["metadata"]["name"]: pod for pod in listed.json["items"]}
    assert found[web]["status"]["phase"] == "Running"
    running = (await node.ask("/runningpods/")).json["items"]
    (pod,) = [pod for pod in running if pod["metadata"]["name"] == web]
    assert {each["name"] for each in pod["spec"]["containers"]} == {"main", "server", "typist"}


async def test_configz_shows_the_effective_configuration(node: ApiNode, web: str) -> None:
    config = (await node.ask("/configz")).json["kubeletconfig"]
    assert config["port"] == node.port
    assert config["maxPods"] == 110


async def test_logs(node: ApiNode, web: str) -> None:
    path = f"/containerLogs/default/{web}/main"
    assert sorted((await node.ask(path)).text.splitlines()) == ["one", "three", "two"]
    assert (await node.ask(path, {"tailLines": "1"})).text == "three\n"
    assert (await node.ask(path, {"limitBytes": "2", "tailLines": "2"})).text == "on"
    assert (await node.ask(path, {"tailLines": "0"})).text == ""
    stamped = (await node.ask(path, {"tail": "1", "timestamps": "true"})).text
    time, _, rest = stamped.partition(" ")
    assert (rest, len(time.partition(".")[2].rstrip("Z0123456789+:-"))) == ("three\n", 0)
    since = (await node.ask(path, {"sinceTime": time})).text  # the lines of one write have one time
    assert since.endswith("three\n")
    assert "two" not in since
    assert (await node.ask(path, {"sinceSeconds": "10000"})).text.count("\n") == 3


async def test_logs_that_cannot_be_had(node: ApiNode, web: str) -> None:
    path = f"/containerLogs/default/{web}/main"
    unknown = await node.ask("/containerLogs/default/none/main")
    assert (unknown.status, unknown.text) == (404, 'pod "none" does not exist')
    other = await node.ask(f"/containerLogs/default/{web}/other")
    assert (other.status, other.text) == (404, f'container "other" not found in pod "{web}"')
    previous = await node.ask(path, {"previous": "true"})
    message = f'previous terminated container "main" in pod "{web}" not found'
    assert (previous.status, previous.text) == (400, message)
    assert (await node.ask(path, {"tailLines": "-1"})).status == 422
    assert (await node.ask(path, {"tailLines": "x"})).status == 400
    assert (await node.ask(path, {"stream": "Stdout"})).status == 400


async def test_a_followed_log_comes_as_it_is_written(node: ApiNode, web: str) -> None:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=node.admin)) as session,
        session.get(node.url(f"/containerLogs/default/{web}/main", {"follow": "true", "tailLines": "1"})) as answer,
    ):
        async with asyncio.timeout(WAIT_S):
            assert await answer.content.readline() == b"three\n"
            run = f"/run/default/{web}/main"
            assert (await node.ask(run, {"cmd": "sh -c echo>/proc/1/fd/1"}, method="POST")).status == 200
            assert await answer.content.readline() == b"\n"


async def test_the_log_of_a_container_that_crashed(node: ApiNode, web: str, busybox_image: str) -> None:
    node.agent.write(
        "crasher.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: crasher}\nspec:\n" + CRASHER.format(image=busybox_image),
    )
    name = f"crasher-{socket.gethostname().lower()}"

    def restarted() -> bool:
        statuses = node.agent.pods().get(name, {}).get("status", {}).get("containerStatuses", ())
        return any(each["restartCount"] >= 1 for each in statuses)

    await asyncio.to_thread(node.agent.until, restarted, "the container has been started again")
    path = f"/containerLogs/default/{name}/main"

    async def previous() -> str:
        return (await node.ask(path, {"previous": "true"})).text

    for _ in range(100):  # one that has ended since takes its place, and the first one goes
        if await previous() == "last words\n":
            break
        await asyncio.sleep(0.5)
    assert await previous() == "last words\n"
    assert (await node.ask(path, {"follow": "true"})).text == "last words\n"  # it has ended, and so has its log
    node.agent.remove("crasher.yaml")


async def test_run(node: ApiNode, web: str) -> None:
    path = f"/run/default/{web}/main"
    assert (await node.ask(path, {"cmd": "echo hello"}, method="POST")).text == "hello\n"
    failed = await node.ask(path, {"cmd": "cat /none"}, method="POST")
    assert failed.status == 500
    assert "exited with 1" in failed.text
    assert (await node.ask(path, {"cmd": "true"})).status == 405
    assert (await node.ask("/run/default/none/main", {"cmd": "true"}, method="POST")).status == 404
    assert (await node.ask(f"/run/default/{web}/none", {"cmd": "true"}, method="POST")).status == 500


def exec_url(node: ApiNode, web: str, *command: str, **streams: str) -> str:
    query = [*(("command", word) for word in command), *streams.items()]
    return node.url(f"/exec/default/{web}/main", query)


@BOTH
async def test_exec(node: ApiNode, web: str, transport: StreamTransport) -> None:
    out, err = CollectingSink(), CollectingSink()
    url = exec_url(node, web, "sh", "-c", "echo to out; echo to err >&2; exit 7", output="1", error="1")
    streams = CommandStreams(stdout=out, stderr=err)
    outcome = await run_command(url, streams, transport=transport, tls=node.admin)
    assert (outcome.exit_code, bytes(out.data), bytes(err.data)) == (7, b"to out\n", b"to err\n")


@BOTH
async def test_exec_with_stdin_that_ends(node: ApiNode, web: str, transport: StreamTransport) -> None:
    out = CollectingSink()
    url = exec_url(node, web, "wc", "-c", input="1", output="1")
    streams = CommandStreams(stdin=Given(b"x" * 100_000, b"y" * 5), stdout=out)
    assert await run_command(url, streams, transport=transport, tls=node.admin) == Outcome()
    assert bytes(out.data).strip() == b"100005"


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io"])
async def test_exec_over_older_websockets(node: ApiNode, web: str, protocol: str) -> None:
    out = CollectingSink()
    url = exec_url(node, web, "echo", "hello", output="1")
    await run_command(
        url, CommandStreams(stdout=out), transport=StreamTransport.WEBSOCKET, protocols=[protocol], tls=node.admin
    )
    assert bytes(out.data) == b"hello\n"


@BOTH
async def test_attach_to_a_terminal(node: ApiNode, web: str, transport: StreamTransport) -> None:
    out, typed = CollectingSink(), Given(open_ended=True)
    url = node.url(f"/attach/default/{web}/typist", {"input": "1", "output": "1", "tty": "1"})
    streams = CommandStreams(stdin=typed, stdout=out, tty=True)
    attached = asyncio.create_task(run_command(url, streams, transport=transport, tls=node.admin))
    typed.give(b"echo $((40 + 2))\n")
    await out.until(b"42")
    attached.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await attached


async def test_streams_that_cannot_be_had(node: ApiNode, web: str) -> None:
    path = f"/exec/default/{web}/main"
    assert (await node.ask(path, {"command": "true"})).text == "you must specify at least 1 of stdin, stdout, stderr"
    plain = await node.ask(path, {"command": "true", "output": "1"})
    assert (plain.status, plain.text) == (400, "Upgrade request required")
    assert (await node.ask("/exec/default/none/main", {"output": "1"})).status == 404
    assert (await node.ask(f"/exec/default/{web}/none", {"output": "1"})).status == 500
    assert (await node.ask(f"/exec/default/{web}/wrong-uid/main", {"output": "1"})).status == 404
    with pytest.raises(PodwrightError):
        await run_command(
            exec_url(node, web, "true", output="1"), CommandStreams(stdout=CollectingSink()), tls=node.nobody
        )
    missing = exec_url(node, web, "/no/such/program", output="1")
    outcome = await run_command(missing, CommandStreams(stdout=CollectingSink()), tls=node.admin)
    assert outcome.exit_code or outcome.failure


@BOTH
async def test_port_forward(node: ApiNode, web: str, transport: StreamTransport) -> None:
    url = node.url(f"/portForward/default/{web}")
    async with (
        asyncio.timeout(WAIT_S),
        forwarding(url, transport=transport, tls=node.admin) as forwarder,
        forwarded(forwarder, 7) as connection,
    ):
        await asyncio.get_running_loop().sock_sendall(connection, b"hello")
        assert await asyncio.get_running_loop().sock_recv(connection, 100) == b"hello"


@BOTH
async def test_much_output_arrives_whole(node: ApiNode, web: str, transport: StreamTransport) -> None:
    class Counted:
        def __init__(self) -> None:
            self.count = 0

        async def write(self, data: Buffer) -> None:
            self.count += len(data)

    out = Counted()
    url = exec_url(node, web, "sh", "-c", "dd if=/dev/zero bs=65536 count=512 2>/dev/null", output="1")
    assert await run_command(url, CommandStreams(stdout=out), transport=transport, tls=node.admin) == Outcome()
    assert out.count == 512 * 65536


async def test_checkpoints_answer_what_the_runtime_says(node: ApiNode, web: str) -> None:
    assert (await node.ask("/checkpoint/default/none/main", method="POST")).status == 404
    path = f"/checkpoint/default/{web}/none"
    assert (await node.ask(path, method="POST")).text == "container none does not exist"
    answer = await node.ask(f"/checkpoint/default/{web}/main", {"timeout": "5"}, method="POST")
    if answer.status == 200:
        assert answer.json["items"][0].startswith(str(node.agent.root / "checkpoints" / f"checkpoint-{web}_default"))
    else:
        begin = f"checkpointing of default/{web}/main failed (rpc error: code = "
        assert (answer.status, answer.text.startswith(begin)) == (500, True), answer.text


async def test_the_summary(node: ApiNode, web: str) -> None:
    answer = await node.ask("/stats/summary")
    assert answer.status == 200, answer.text
    summary = answer.json
    nodes = summary["node"]
    assert nodes["nodeName"] == socket.gethostname().lower()
    for part in ("cpu", "memory", "fs", "runtime", "rlimit", "swap"):
        assert nodes[part], part
    assert nodes["memory"]["workingSetBytes"] < nodes["memory"]["usageBytes"]
    assert nodes["runtime"]["imageFs"]["capacityBytes"] > 0
    assert "pods" in {each["name"] for each in nodes["systemContainers"]}
    (pod,) = [pod for pod in summary["pods"] if pod["podRef"]["name"] == web]
    assert pod["cpu"]["usageCoreNanoSeconds"] > 0
    assert pod["memory"]["workingSetBytes"] > 0
    assert pod["network"]["name"] in {each["name"] for each in pod["network"]["interfaces"]}
    assert pod["process_stats"]["process_count"] >= 3
    main = {each["name"]: each for each in pod["containers"]}["main"]
    assert main["memory"]["workingSetBytes"] > 0
    assert main["cpu"]["usageCoreNanoSeconds"] > 0
    assert main["logs"]["usedBytes"] > 0
    assert main["rootfs"]["capacityBytes"] > 0
    (volume,) = [each for each in pod["volume"] if each["name"] == "data"]
    assert volume["inodesUsed"] >= 1
    assert pod["ephemeral-storage"]["usedBytes"] >= main["logs"]["usedBytes"]
    light = (await node.ask("/stats/summary", {"only_cpu_and_memory": "true"}, method="POST")).json
    assert "fs" not in light["node"]
    assert all("volume" not in pod for pod in light["pods"])


def samples(exposition: str) -> dict[str, float]:
    """Every sample by its name and labels. No two are the same, and each family is described once, before them."""
    found: dict[str, float] = {}
    described: list[str] = []
    for line in exposition.splitlines():
        if line.startswith("# TYPE "):
            described.append(line.split()[2])
            continue
        if line.startswith("#"):
            continue
        key, _, rest = line.partition("} ") if "}" in line else line.partition(" ")
        assert key not in found, key
        found[key] = float(rest.split()[0])
        name = key.partition("{")[0]
        assert described[-1] in {name, *map(name.removesuffix, ("_bucket", "_sum", "_count"))}
    assert len(described) == len(set(described))
    return found


async def test_metrics_are_well_formed(node: ApiNode, web: str) -> None:
    for path in ("/metrics", "/metrics/cadvisor", "/metrics/resource", "/metrics/probes", "/metrics/slis"):
        assert samples((await node.ask(path)).text), path


async def test_a_long_command(node: ApiNode, web: str) -> None:
    out = CollectingSink()
    words = ["w" * 9] * 5000
    url = exec_url(node, web, "sh", "-c", "echo $#", "sh", *words, output="1")
    assert await run_command(url, CommandStreams(stdout=out), tls=node.admin) == Outcome()
    assert bytes(out.data) == b"5000\n"


async def test_metrics(node: ApiNode, web: str, request: pytest.FixtureRequest) -> None:
    resource = (await node.ask("/metrics/resource")).text
    assert f'container_memory_working_set_bytes{{container="main",namespace="default",pod="{web}"}}' in resource
    assert "resource_scrape_error 0\n" in resource
    cadvisor = (await node.ask("/metrics/cadvisor")).text
    lines = [line for line in cadvisor.splitlines() if line.startswith("container_cpu_usage_seconds_total{")]
    assert any(f'pod="{web}"' in line and 'container="main"' in line for line in lines)
    assert any('cpu="total"' in line and 'id="/"' in line for line in lines)
    assert "machine_cpu_cores{" in cadvisor
    probes = (await node.ask("/metrics/probes")).text
    assert 'prober_probe_total{container="main",namespace="default"' in probes
    url = exec_url(node, web, "true", output="1")
    streams = CommandStreams(stdout=CollectingSink())
    assert await run_command(url, streams, transport=StreamTransport.WEBSOCKET, tls=node.admin) == Outcome()
    own = await node.ask("/metrics")
    is_old = request.node.callspec.params["node"] == "containerd"  # Debian's has no RuntimeConfig
    assert ('kubelet_cri_losing_support{version="1.37.0"} 1' in own.text) is is_old
    assert own.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'kubelet_http_requests_total{long_running="false",method="GET",path="metrics/probes"' in own.text
    assert 'kubelet_websocket_streaming_requests_total{subresource="exec"}' in own.text
    assert "kubelet_memory_qos_" not in own.text  # the gate is off
    assert "kubernetes_healthcheck" in (await node.ask("/metrics/slis")).text


async def test_debug_pages(node: ApiNode, web: str) -> None:
    assert "kubelet statusz" in (await node.ask("/statusz")).text
    assert "port=" in (await node.ask("/flagz")).text
    assert "sync loop" in (await node.ask("/debug/pprof/goroutine")).text
    changed = await node.ask("/debug/flags/v", method="PUT", data=b"5")
    assert changed.text == "successfully set klog.logging.verbosity to 5\n"
    assert (await node.ask("/debug/flags/v", method="PUT", data=b"x")).status == 400
    assert (await node.ask("/debug/flags/v")).status == 406


async def test_node_logs(node: ApiNode, web: str) -> None:
    listing = await node.ask("/logs/")
    assert listing.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<pre>" in listing.text
    assert (await node.ask("/logs/none")).status == 404
    assert (await node.ask("/logs/..%2f..%2fetc%2fpasswd")).status in (403, 404)
    assert (await node.ask("/logs/", {"query": ""})).status == 400
    assert (await node.ask("/logs/", {"query": "kubelet;reboot"})).status == 400


async def test_a_client_that_goes_leaves_nothing(node: ApiNode, web: str, busybox_image: str) -> None:
    folder = Path(f"/proc/{node.agent.pid}/fd")
    await node.ask("/healthz")

    def descriptors() -> int:
        return len(list(folder.iterdir()))

    before = descriptors()
    for _ in range(3):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=node.admin)) as session:
            answer = await session.get(node.url(f"/containerLogs/default/{web}/main", {"follow": "true"}))
            await answer.content.readline()
            answer.close()
        url = exec_url(node, web, "sleep", "1000", output="1")
        for transport in (StreamTransport.SPDY, StreamTransport.WEBSOCKET):
            running = asyncio.create_task(
                run_command(url, CommandStreams(stdout=CollectingSink()), transport=transport, tls=node.admin)
            )
            await asyncio.sleep(0.3)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
    async with asyncio.timeout(WAIT_S):
        while descriptors() > before:  # noqa: ASYNC110 # the kernel tells nobody
            await asyncio.sleep(0.1)
