"""`podwright agent` as a process that joins an API server: its node, the pods bound to it, mirrors, events.

The server is the tests' own (tests/harness/apiserver); kubectl is Debian's.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import yaml
from msgspec import structs

from podwright.conformance.patience import patient
from podwright.cri.client import CHANNEL_OPTIONS
from podwright.cri.v1 import api_pb2, api_pb2_grpc
from podwright.k8s.client.patch import STRATEGIC
from podwright.k8s.objects import ConfigMap, Node, NodeCondition, ObjectMeta, Pod, Secret
from podwright.linux import cgroup
from tests.agent.api_pods import FOREVER, NODE, bind, delete, events, is_ready, joined_agent, plain, pod, reference
from tests.harness.agent import CALL_TIMEOUT_S, AgentProcess
from tests.harness.apiserver.server import ADMIN, ApiServer
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.cgroups import names_in
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer


@pytest.fixture
def agent(any_server: CriServer, scratch: Scratch, api: ApiServerThread, tmp_path: Path) -> Iterator[AgentProcess]:
    with joined_agent(scratch.part("agent"), any_server.endpoint, api, tmp_path) as process:
        yield process


def test_a_node_joins_and_reports(agent: AgentProcess, api: ApiServerThread) -> None:
    def is_node_ready() -> bool:
        node: Node | None = api.get(Node, NODE)
        return node is not None and any(
            each.type == "Ready" and each.status == "True" for each in node.status.conditions
        )

    agent.until(is_node_ready, "the node is ready")
    node: Node = api.get(Node, NODE)
    assert node.status.node_info is not None
    assert node.status.capacity["pods"] == "110"
    agent.until(lambda: "NodeReady" in events(api, NODE), "the event is written")
    agent.until(lambda: "NodeAllocatableEnforced" in events(api, NODE), "one from before it joined is written too")


def test_a_pod_of_the_api_lives_and_ends(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    api.put(ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"greeting": "hello"}))
    api.put(Secret(metadata=ObjectMeta(name="key", namespace="default"), data={"word": b"open"}))
    spec = f"""
containers:
- name: main
  image: {image}
  command: [sh, -c, 'echo "$(cat /settings/greeting) $WORD"; ls /token; {FOREVER}']
  env: [{{name: WORD, valueFrom: {{secretKeyRef: {{name: key, key: word}}}}}}]
  volumeMounts: [{{name: settings, mountPath: /settings}}, {{name: token, mountPath: /token}}]
volumes:
- {{name: settings, configMap: {{name: settings}}}}
- {{name: token, projected: {{sources: [{{serviceAccountToken: {{path: token, expirationSeconds: 3600}}}}]}}}}
"""
    bind(api, "web", spec)
    agent.until(lambda: is_ready(api, "web"), "the pod is ready")
    shown = pod(api, "web")
    assert shown is not None
    assert (shown.status.phase, shown.status.qos_class) == ("Running", "BestEffort")
    assert shown.status.pod_ip
    assert shown.status.start_time is not None
    path = next(agent.logs.glob("default_web_*/main/0.log"))
    agent.until(lambda: "hello open" in path.read_text() and "token" in path.read_text(), "the log has all of it")
    agent.until(lambda: "Started" in events(api, "web"), "the events are written")
    delete(api, "web")
    agent.until(lambda: pod(api, "web") is None, "the object goes when nothing is left")
    assert not list((agent.root / "pods").glob("*/volumes/*/*"))
    agent.until(lambda: "Killing" in events(api, "web"), "the end is an event")


def test_a_job_like_pod_shows_its_end(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    bind(api, "job", f"{{restartPolicy: Never, {plain(image, 'echo bye > /dev/termination-log; exit 3')}}}")

    def phase() -> str:
        shown = pod(api, "job")
        return shown.status.phase if shown is not None else ""

    agent.until(lambda: phase() == "Failed", "the pod has failed")
    shown = pod(api, "job")
    assert shown is not None
    ended = shown.status.container_statuses[0].state.terminated
    assert ended is not None
    assert (ended.exit_code, ended.message) == (3, "bye\n")


def test_a_pod_that_does_not_fit_is_refused(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    large = f"containers: [{{name: main, image: {image}, resources: {{requests: {{cpu: '1000'}}}}}}]"
    bind(api, "large", large)

    def reason() -> str:
        shown = pod(api, "large")
        return shown.status.reason if shown is not None else ""

    agent.until(lambda: reason() == "OutOfcpu", "the pod is refused")
    delete(api, "large")
    agent.until(lambda: pod(api, "large") is None, "the object goes")


def test_a_restarted_agent_leaves_the_node_ready(agent: AgentProcess, api: ApiServerThread) -> None:
    def ready() -> NodeCondition | None:
        node: Node | None = api.get(Node, NODE)
        conditions = node.status.conditions if node is not None else ()
        return next((each for each in conditions if each.type == "Ready" and each.status == "True"), None)

    agent.until(ready, "the node is ready")
    before = ready()
    assert before is not None
    since = before.last_transition_time
    for _ in range(3):
        agent.stop()
        seen = ready()
        assert seen is not None
        reported = seen.last_heartbeat_time
        assert reported is not None
        # Times are whole seconds: a report in the same one would look the same.
        agent.until(lambda: datetime.now(UTC) > reported + timedelta(seconds=1), "another time is shown")  # noqa: B023 # at once
        agent.start()
        agent.until(lambda: (now := ready()) is None or now != seen, "the node is reported")  # noqa: B023 # at once
        assert (now := ready()) is not None
        assert now.last_transition_time == since


def test_a_restarted_agent_ends_what_it_refuses(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    agent.until(lambda: api.get(Node, NODE) is not None, "the node has joined")
    label(api, "a")
    bind(api, "moved", f"{{nodeSelector: {{zone: a}}, {plain(image)}}}")
    bind(api, "kept", plain(image))
    agent.until(lambda: is_ready(api, "moved") and is_ready(api, "kept"), "the pods run")
    agent.stop()
    label(api, "b")
    agent.start()

    def reason() -> str:
        shown = pod(api, "moved")
        return shown.status.reason if shown is not None and shown.status.phase == "Failed" else ""

    agent.until(lambda: reason() == "NodeAffinity", "the pod is refused")
    assert running_in(agent, "moved") == 0
    assert running_in(agent, "kept") == 1
    assert is_ready(api, "kept")
    delete(api, "moved")
    agent.until(lambda: pod(api, "moved") is None, "the object goes")


def label(api: ApiServerThread, zone: str) -> None:
    """Put the node into a zone."""
    node: Node = api.get(Node, NODE)
    metadata = structs.replace(node.metadata, labels={**node.metadata.labels, "zone": zone})
    api.put(structs.replace(node, metadata=metadata))


def running_in(agent: AgentProcess, name: str) -> int:
    """How many containers of a pod run."""
    with grpc.insecure_channel(agent.endpoint, options=CHANNEL_OPTIONS) as channel:
        stub = api_pb2_grpc.RuntimeServiceStub(channel)
        listed = stub.ListContainers(api_pb2.ListContainersRequest(), timeout=CALL_TIMEOUT_S).containers
    labels = (each.labels for each in listed if each.state == api_pb2.CONTAINER_RUNNING)
    return sum(each["io.kubernetes.pod.name"] == name for each in labels)


def test_a_pod_is_resized_in_place(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    """One container gets its new size while it runs, the other one is made anew."""
    amounts = "{cpu: 100m, memory: 64Mi}"
    spec = f"""
containers:
- {{name: a, image: {image}, command: [sh, -c, '{FOREVER}'], resources: {{requests: {amounts}, limits: {amounts}}}}}
- name: b
  image: {image}
  command: [sh, -c, '{FOREVER}']
  resizePolicy: [{{resourceName: memory, restartPolicy: RestartContainer}}]
  resources: {{requests: {amounts}, limits: {amounts}}}
"""
    bind(api, "web", spec)
    agent.until(lambda: is_ready(api, "web"), "the pod is ready")
    resize(api, "web", {"a": {"cpu": "200m", "memory": "128Mi"}, "b": {"cpu": "100m", "memory": "96Mi"}})

    def sizes() -> dict[str, tuple[str, str, int]]:
        shown = pod(api, "web")
        assert shown is not None
        found = {}
        for each in shown.status.container_statuses:
            limits = each.resources.limits if each.resources is not None else {}
            found[each.name] = (limits.get("cpu", ""), limits.get("memory", ""), each.restart_count)
        return found

    wanted = {"a": ("200m", "128Mi", 0), "b": ("100m", "96Mi", 1)}
    agent.until(lambda: sizes() == wanted, "the status shows the new sizes")
    host, (uid,) = cgroup.detect(), [path.name for path in (agent.root / "pods").iterdir()]
    directory = host.directory(names_in(agent.part).of_pod("Guaranteed", uid), "memory")
    name = "memory.limit_in_bytes" if "memory" in host.controllers else "memory.max"
    assert Path(f"{directory}/{name}").read_text().strip() == str((128 + 96) << 20)
    agent.until(lambda: "ResizeCompleted" in events(api, "web"), "the events are written")
    resize(api, "web", {"a": {"cpu": "1000", "memory": "128Mi"}})

    def resizes() -> list[tuple[str, str]]:
        shown = pod(api, "web")
        conditions = shown.status.conditions if shown is not None else ()
        return [(each.type, each.reason) for each in conditions if "Resize" in each.type]

    agent.until(lambda: resizes() == [("PodResizePending", "Deferred")], "the resize waits")
    agent.kill9()
    agent.start()
    assert sizes() == wanted
    resize(api, "web", {"a": {"cpu": "150m", "memory": "128Mi"}})
    agent.until(lambda: sizes()["a"] == ("150m", "128Mi", 0), "a smaller one is taken")
    agent.until(lambda: resizes() == [], "nothing waits any more")


def resize(api: ApiServerThread, name: str, wanted: dict[str, dict[str, str]]) -> None:
    """As `kubectl patch --subresource resize`. Requests are limits."""
    containers = [
        {"name": container, "resources": {"requests": amounts, "limits": amounts}}
        for container, amounts in wanted.items()
    ]

    def patch(server: ApiServer) -> None:
        target = replace(server._target("v1", "Pod", reference(name)), subresource="resize")
        server.api.patch(target, {"spec": {"containers": containers}}, STRATEGIC, ADMIN)

    api.call(patch)


def test_a_static_pod_has_a_mirror(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "static"},
        "spec": {"terminationGracePeriodSeconds": 1, **yaml.safe_load(plain(image))},
    }
    agent.write("static.yaml", json.dumps(document))
    name = f"static-{NODE}"
    agent.until(lambda: is_ready(api, name), "the mirror is ready")
    first = pod(api, name)
    assert first is not None
    api.call(lambda server: server.remove(Pod, name, "default"))
    agent.until(lambda: is_ready(api, name), "the mirror is made anew")
    again = pod(api, name)
    assert again is not None
    assert again.status.container_statuses[0].container_id == first.status.container_statuses[0].container_id
    agent.remove("static.yaml")
    agent.until(lambda: pod(api, name) is None, "the mirror goes with the static pod")


def test_what_happens_while_the_server_is_away_is_written_later(
    agent: AgentProcess, api: ApiServerThread, image: str
) -> None:
    bind(api, "web", plain(image))
    agent.until(lambda: is_ready(api, "web"), "the pod is ready")
    shown = pod(api, "web")
    assert shown is not None
    api.stop()
    agent.kill9()
    agent.start()
    agent.until(lambda: agent.get("/healthz") == b"ok", "the agent works without the server")
    api.start()
    bind(api, "other", plain(image))
    agent.until(lambda: is_ready(api, "other"), "a new pod runs")
    now = pod(api, "web")
    assert now is not None
    assert now.status.container_statuses == shown.status.container_statuses


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_works_the_node(agent: AgentProcess, api: ApiServerThread, image: str, tmp_path: Path) -> None:
    def kubectl(*arguments: str) -> str:
        argv = ["kubectl", f"--kubeconfig={tmp_path}/kubeconfig", *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=patient(60), check=False)
        return done.stdout  # nothing as long as there is no such object

    until: Callable[[Callable[[], object], str], None] = agent.until
    version = "jsonpath={.status.nodeInfo.kubeletVersion}"
    until(lambda: "podwright" in kubectl("get", "node", NODE, "-o", version), "the node is there")
    bind(api, "web", plain(image))
    until(lambda: "Running" in kubectl("get", "pod", "web", "-o", "jsonpath={.status.phase}"), "the pod runs")
    until(lambda: "Started" in kubectl("describe", "pod", "web"), "the events are shown")
    assert "deleted" in kubectl("delete", "pod", "web", "--wait=false")
    until(lambda: "web" not in kubectl("get", "pods", "-o", "name"), "the pod is gone")
    assert "default" in kubectl("get", "namespaces", "-o", "name")
