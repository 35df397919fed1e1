"""`podwright describe` and `podwright pods` on the agent's socket."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.cli.agent_socket import ask, is_there
from podwright.cli.app import run
from podwright.cli.description import Description, describe
from podwright.cli.sheet import SheetLine, render
from podwright.conformance.patience import patient
from podwright.errors import Internal, NotFound, Unavailable
from podwright.k8s.objects import (
    ContainerPort,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStatus,
    EmptyDirVolumeSource,
    EnvVar,
    EnvVarSource,
    HTTPGetAction,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
    Probe,
    ResourceRequirements,
    SecretKeySelector,
    Volume,
    VolumeMount,
)
from tests.agent.fakes.pods import container, pod
from tests.agent.server.test_servers import Scene

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
EARLIER = datetime(2026, 1, 1, 11, 0, tzinfo=UTC)


class Served:
    """The agent's servers in a thread of their own: the commands under test block."""

    def __init__(self, directory: Path) -> None:
        self.scene: Scene | None = None
        self.directory = directory
        self.socket = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        assert self.scene is not None
        self._loop.run_until_complete(self.scene.servers.close())
        self._loop.close()

    async def _start(self) -> None:
        self.scene = Scene(self.directory)
        self.socket = self.scene.socket
        self.scene.servers.serve_socket(self.socket, self.scene.routes)

    def __enter__(self) -> Scene:
        self._thread.start()
        assert self._ready.wait(patient(60))
        assert self.scene is not None
        return self.scene

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(patient(60))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Served(tmp_path) as made:
        yield made


def put(scene: Scene, *pods: Pod) -> None:
    for each in pods:
        scene.registry.put(each)


def running(ip: str = "10.0.0.5") -> PodStatus:
    one = ContainerStatus(
        name="main",
        image="",
        image_id="sha256:1",
        ready=True,
        restart_count=1,
        container_id="x://2",
        state=ContainerState(running=ContainerStateRunning(started_at=EARLIER)),
        last_state=ContainerState(
            terminated=ContainerStateTerminated(exit_code=3, reason="Error", message="two\nlines", finished_at=EARLIER)
        ),
    )
    return PodStatus(
        phase="Running",
        pod_ip=ip,
        pod_ips=(PodIP(ip=ip),),
        host_ip="192.0.2.1",
        start_time=EARLIER,
        qos_class="Burstable",
        conditions=(
            PodCondition(type="Ready", status="False", reason="ContainersNotReady", message="not yet"),
            PodCondition(type="Initialized", status="True"),
        ),
        container_statuses=(one,),
    )


FULL = pod(
    node_name="node1",
    labels={"app": "web", "tier": "front"},
    volumes=(Volume(name="data", empty_dir=EmptyDirVolumeSource(medium="Memory")),),
    containers=(
        container(
            ports=(ContainerPort(container_port=80, host_port=8080, name="http", protocol="TCP"),),
            command=("serve", "--fast"),
            resources=ResourceRequirements(limits={"memory": "64Mi", "cpu": "1"}),
            env=(
                EnvVar(name="A", value="b"),
                EnvVar(name="KEY", value_from=EnvVarSource(secret_key_ref=SecretKeySelector(name="s", key="k"))),
            ),
            volume_mounts=(VolumeMount(name="data", mount_path="/data", read_only=True),),
            readiness_probe=Probe(
                http_get=HTTPGetAction(port=80, path="/ok", scheme="HTTP"),
                period_seconds=10,
                timeout_seconds=1,
                success_threshold=1,
                failure_threshold=3,
            ),
        ),
    ),
)
TEXT = """\
Name:         web
Namespace:    default
UID:          uid-web
Node:         node1/192.0.2.1
Start Time:   Thu, 01 Jan 2026 11:00:00 +0000
Labels:       app=web
              tier=front
Annotations:  kubernetes.io/config.source: api
Status:       Running
IP:           10.0.0.5
IPs:
  IP:           10.0.0.5
Containers:
  main:
    Container ID:   x://2
    Image:          registry.example/app:1
    Image ID:       sha256:1
    Ports:          80/TCP (http), host 8080
    Command:        serve
                    --fast
    State:          Running
      Started:    Thu, 01 Jan 2026 11:00:00 +0000
    Last State:     Terminated
      Reason:     Error
      Message:    two
                  lines
      Exit Code:  3
      Finished:   Thu, 01 Jan 2026 11:00:00 +0000
    Ready:          True
    Restart Count:  1
    Limits:
      cpu:        1
      memory:     64Mi
    Readiness:      http-get http://:80/ok delay=0s timeout=1s period=10s #success=1 #failure=3
    Environment:
      A:          b
      KEY:        <set to the key 'k' in secret 's'>  Optional: False
    Mounts:
      /data from data (ro)
Conditions:
  Type          Status
  Ready         False  (ContainersNotReady: not yet)
  Initialized   True
Volumes:
  data:
    Type:           EmptyDir
    medium:         Memory
QoS Class:    Burstable
Worker:
  State:        sync
  Busy For:     8.2s
  Waits For:    start of container main > PullImage
  Next Pass In: 4.2s
  Waits Because: image is not there
  No Pod Is Synced: the runtime is not ready
Events:
  Type      Reason      Age               Message
  ----      ------      ---               -------
  Normal    Started     1h                spec.containers{main}: Started container
  Warning   Unhealthy   1m (x3 over 1h)   probe failed
"""


def event(kind: str, reason: str, message: str, path: str = "", count: int = 1, last: str = "11:00") -> dict[str, Any]:
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "fieldPath": path,
        "count": count,
        "firstTimestamp": "2026-01-01T11:00:00.000Z",
        "lastTimestamp": f"2026-01-01T{last}:00.000Z",
    }


def test_a_pod_is_described_in_full() -> None:
    text = describe(
        Description(
            pod=replace(FULL, status=running()),
            events=[
                event("Normal", "Started", "Started container", "spec.containers{main}"),
                event("Warning", "Unhealthy", "probe\nfailed", count=3, last="11:59"),
            ],
            worker={
                "state": "sync",
                "finished": False,
                "busySeconds": 8.2,
                "waitsFor": "start of container main > PullImage",
                "nextPassSeconds": 4.2,
                "failure": "image is not there",
            },
            problem="the runtime is not ready",
        ),
        NOW,
    )
    assert [line.split() for line in text.splitlines()] == [line.split() for line in TEXT.splitlines()]


def test_a_pod_of_which_little_is_known_is_described() -> None:
    text = describe(Description(pod=pod(deleted=EARLIER, grace_s=30), events=[], worker=None, problem=""), NOW)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in ("Status: Terminating (lasts 1h)", "Termination Grace Period: 30s", "Node: <none>", "Volumes: <none>"):
        assert line in lines
    assert lines[-2:] == ["Worker: <none>", "Events: <none>"]


def test_values_stand_below_each_other_and_move_no_cursor() -> None:
    text = render(
        [
            SheetLine(0, "A:", "one\x1b[2J"),
            SheetLine(0, "Long name:", "x\ny"),
            SheetLine(1, "in:", "z"),
            SheetLine(0, "End:"),
        ]
    )
    assert text == "A:          one\\x1b[2J\nLong name:  x\n            y\n  in:  z\nEnd:\n"


def test_describe_asks_the_agent(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    put(scene, FULL)
    assert run(["describe", "--agent-socket", scene.socket, "web"]) == 0
    assert capsys.readouterr().out.startswith("Name:         web\n")
    assert run(["describe", "--agent-socket", scene.socket, "default/web", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["pod"]["metadata"]["name"] == "web"
    assert run(["describe", "--agent-socket", scene.socket, "-n", "other", "web"]) == 1
    assert "there is no pod other/web" in capsys.readouterr().err


def test_pods_lists_those_of_the_agent(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    put(scene, FULL, pod("db"))
    scene.statuses["uid-web"] = running()
    assert run(["pods", "--agent-socket", scene.socket]) == 0
    header, web, db = (line.split() for line in capsys.readouterr().out.splitlines())
    assert header == ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    assert web[:5] == ["default", "web", "1/1", "Running", "1"]
    assert web[-1] == "10.0.0.5"
    assert db == ["default", "db", "0/1", "Pending", "0", "-", "<none>"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--name", "db"], ["db"]),
        (["--label", "app=web"], ["web"]),
        (["--namespace", "other"], []),
        (["-o", "wide"], ["web", "db"]),
    ],
)
def test_pods_of_the_agent_can_be_chosen(
    scene: Scene, capsys: pytest.CaptureFixture[str], options: list[str], names: list[str]
) -> None:
    put(scene, FULL, pod("db"))
    assert run(["pods", "--agent-socket", scene.socket, *options]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == names


def test_pods_of_the_agent_as_json_are_a_pod_list(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    put(scene, FULL, pod("db"))
    assert run(["pods", "--agent-socket", scene.socket, "-o", "json", "--name", "db"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["kind"], [each["metadata"]["name"] for each in answer["items"]]) == ("PodList", ["db"])


@pytest.mark.parametrize("options", [["--sandboxes"], ["-q"], ["--state", "ready"], ["--no-trunc"]])
def test_options_that_speak_of_sandboxes_ask_the_runtime(
    scene: Scene,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
) -> None:
    monkeypatch.setenv("CONTAINER_RUNTIME_ENDPOINT", f"unix://{tmp_path}/none.sock")
    assert run(["pods", "--agent-socket", scene.socket, *options]) == 1
    assert "no process listens" in capsys.readouterr().err
    assert run(["--endpoint", f"unix://{tmp_path}/none.sock", "pods", "--agent-socket", scene.socket]) == 1


def test_a_socket_that_is_given_has_to_be_an_agents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pods", "--agent-socket", f"{tmp_path}/none.sock"]) == 1
    assert "no agent listens on" in capsys.readouterr().err


def test_an_agent_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "agent.sock")
    assert not is_there(path)
    with pytest.raises(Unavailable, match="no agent listens"):
        ask(path, "pods")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    assert not is_there(path)  # what an agent leaves that was killed: the sandboxes are listed
    with pytest.raises(Unavailable, match="no agent listens"):
        ask(path, "pods")
    assert os.path.exists(path)
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(path)
        alive.listen()
        assert is_there(path)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", Internal, "without JSON"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}", Internal, "answers 500"),
        (b'HTTP/1.1 404 No\r\nContent-Length: 14\r\n\r\n{"error": "e"}', NotFound, "e"),
        (b"SSH-2.0-OpenSSH\r\n", Unavailable, "does not answer"),
        (b"", Unavailable, "does not answer"),
    ],
)
def test_strange_answers_are_named(tmp_path: Path, answer: bytes, error: type[Exception], message: str) -> None:
    path = str(tmp_path / "agent.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(error, match=message):
            ask(path, "pods")
        thread.join(patient(60))
