"""`podwright agent` as a process of its own, on Podwright and on containerd: static pods come, live and go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.agent import AgentProcess
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer

MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  terminationGracePeriodSeconds: 2
{spec}
"""

FULL = """
  initContainers:
  - {{name: first, image: {image}, command: [sh, -c, 'echo from init > /data/file']
      , volumeMounts: [{{name: data, mountPath: /data}}]}}
  - {{name: side, image: {image}, restartPolicy: Always, command: [sh, -c, 'trap exit TERM; sleep 1000 & wait']}}
  containers:
  - name: main
    image: {image}
    command: [sh, -c, 'cat /data/file; echo $GREETING from $NAME; trap exit TERM; sleep 1000 & wait']
    env:
    - {{name: NAME, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}
    - {{name: GREETING, value: hello}}
    readinessProbe: {{exec: {{command: [cat, /data/file]}}, periodSeconds: 1, timeoutSeconds: 30}}
    lifecycle: {{preStop: {{exec: {{command: [sh, -c, 'echo stopping > /proc/1/fd/1']}}}}}}
    resources: {{limits: {{memory: 64Mi, cpu: 500m}}}}
    volumeMounts: [{{name: data, mountPath: /data}}, {{name: info, mountPath: /info}}]
  volumes:
  - {{name: data, emptyDir: {{}}}}
  - {{name: info, downwardAPI: {{items: [{{path: labels, fieldRef: {{fieldPath: metadata.labels}}}}]}}}}
"""

PLAIN = "  containers: [{{name: main, image: {image}, command: [sh, -c, '{script}']}}]\n"
FOREVER = "trap exit TERM; sleep 1000 & wait"


def manifest(name: str, spec: str, **words: str) -> str:
    return MANIFEST.format(name=name, spec=spec.format(**words))


@pytest.fixture
def agent(any_server: CriServer, scratch: Scratch) -> Iterator[AgentProcess]:
    with AgentProcess(scratch.part("agent"), any_server.endpoint) as process:
        yield process


def status(agent: AgentProcess, name: str) -> dict[str, Any]:
    found: dict[str, Any] = agent.pods().get(name, {}).get("status", {})
    return found


def is_ready(agent: AgentProcess, name: str) -> bool:
    conditions = {condition["type"]: condition["status"] for condition in status(agent, name).get("conditions", ())}
    return conditions.get("Ready") == "True"


def container_id(agent: AgentProcess, name: str) -> str:
    found: str = status(agent, name)["containerStatuses"][0]["containerID"]
    return found


def node_name() -> str:
    return os.uname().nodename.lower()


def test_a_pod_s_whole_life(agent: AgentProcess, busybox_image: str) -> None:
    agent.write("web.yaml", manifest("web", FULL, image=busybox_image))
    name = f"web-{node_name()}"
    agent.until(lambda: is_ready(agent, name), "the pod is ready")
    shown = status(agent, name)
    assert shown["phase"] == "Running"
    assert shown["podIP"]
    assert [each["name"] for each in shown["initContainerStatuses"]] == ["first", "side"]
    assert shown["qosClass"] == "Burstable"
    (log,) = agent.logs.glob(f"default_{name}_*/main/0.log")
    words = ["from init", f"hello from {name}"]
    agent.until(lambda: [line.split(" ", 3)[3] for line in log.read_text().splitlines()] == words, "the log is whole")
    uid = agent.pods()[name]["metadata"]["uid"]
    info = agent.root / "pods" / uid / "volumes/kubernetes.io~downward-api/info/labels"
    assert info.read_text() == 'app="web"'
    events = [event["reason"] for event in agent.describe(name)["events"]]
    assert events.count("Started") == 3
    agent.remove("web.yaml")
    agent.until(lambda: not agent.pods(), "the pod is gone")
    agent.until(lambda: "stopping" in log.read_text() if log.exists() else True, "the hook has run")
    mounts = Path("/proc/self/mounts").read_text()
    agent.until(lambda: f"/pods/{uid}/" not in Path("/proc/self/mounts").read_text(), f"no mount is left: {mounts}")


def test_a_changed_manifest_is_another_pod(agent: AgentProcess, busybox_image: str) -> None:
    name = f"web-{node_name()}"
    agent.write("web.yaml", manifest("web", PLAIN, image=busybox_image, script=FOREVER))
    agent.until(lambda: is_ready(agent, name), "the pod is ready")
    old = agent.pods()[name]["metadata"]["uid"]
    agent.write("web.yaml", manifest("web", PLAIN, image=busybox_image, script=f"echo new; {FOREVER}"))
    agent.until(lambda: is_ready(agent, name) and agent.pods()[name]["metadata"]["uid"] != old, "the new pod is ready")


def test_a_crash_is_restarted_and_waits(agent: AgentProcess, busybox_image: str) -> None:
    name = f"crash-{node_name()}"
    script = "echo last words > /dev/termination-log; exit 7"
    agent.write("crash.yaml", manifest("crash", PLAIN, image=busybox_image, script=script))

    def waits() -> bool:
        found = status(agent, name).get("containerStatuses", [{}])[0]
        return bool(found.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff")

    agent.until(waits, "the container waits for its next start")
    found = status(agent, name)["containerStatuses"][0]
    assert found["restartCount"] >= 1
    ended = found["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (7, "Error", "last words\n")


def test_an_agent_that_was_killed_changes_nothing(agent: AgentProcess, busybox_image: str) -> None:
    name = f"web-{node_name()}"
    agent.write("web.yaml", manifest("web", FULL, image=busybox_image))
    agent.until(lambda: is_ready(agent, name), "the pod is ready")
    before = status(agent, name)
    agent.kill9()
    agent.start()
    agent.until(lambda: is_ready(agent, name), "the pod is ready again")
    after = status(agent, name)
    for kind in ("containerStatuses", "initContainerStatuses"):
        assert [(each["containerID"], each["restartCount"]) for each in after[kind]] == [
            (each["containerID"], each["restartCount"]) for each in before[kind]
        ]
    assert after["podIP"] == before["podIP"]


def test_a_pod_that_went_while_no_agent_ran_is_ended(
    agent: AgentProcess, any_server: CriServer, busybox_image: str
) -> None:
    for each in ("keep", "drop"):
        agent.write(f"{each}.yaml", manifest(each, PLAIN, image=busybox_image, script=FOREVER))
    keep, drop = f"keep-{node_name()}", f"drop-{node_name()}"
    agent.until(lambda: is_ready(agent, keep) and is_ready(agent, drop), "both pods are ready")
    kept = container_id(agent, keep)
    agent.kill9()
    agent.remove("drop.yaml")
    agent.start()
    agent.until(lambda: is_ready(agent, keep), "the pod that stays is ready")
    assert container_id(agent, keep) == kept

    agent.until(lambda: running(any_server) == {keep}, "the other pod has ended")


def test_the_pods_of_a_run_are_left_alone(
    agent: AgentProcess, any_server: CriServer, busybox_image: str, tmp_path: Path
) -> None:
    file, places = tmp_path / "run.yaml", [f"--root={tmp_path}/run", f"--log-root={tmp_path}/logs"]
    file.write_text(manifest("of-a-run", PLAIN, image=busybox_image, script=FOREVER))
    podwright(any_server, "run", "--detach", *places, str(file))
    try:
        name = f"web-{node_name()}"
        agent.write("web.yaml", manifest("web", PLAIN, image=busybox_image, script=FOREVER))
        agent.until(lambda: is_ready(agent, name), "the agent's own pod is ready")
        agent.remove("web.yaml")
        agent.until(lambda: name not in running(any_server) and not agent.pods(), "the agent has cleaned up")
        assert running(any_server) == {"of-a-run"}
        assert list((tmp_path / "logs").iterdir())
    finally:
        podwright(any_server, "run", "--kube-down", *places, str(file))
    assert running(any_server) == set()


def podwright(server: CriServer, *arguments: str) -> str:
    """What a command at the server prints."""
    argv = [sys.executable, "-m", "podwright", "--endpoint", server.endpoint, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def running(server: CriServer) -> set[str]:
    """The names of the pods that have a running container."""
    containers = json.loads(podwright(server, "ps", "-o", "json")).get("containers") or []
    return {each["labels"]["io.kubernetes.pod.name"] for each in containers}


def test_a_lost_container_comes_back(agent: AgentProcess, any_server: CriServer, busybox_image: str) -> None:
    name = f"web-{node_name()}"
    agent.write("web.yaml", manifest("web", PLAIN, image=busybox_image, script=FOREVER))
    agent.until(lambda: is_ready(agent, name), "the pod is ready")
    old = container_id(agent, name).partition("://")[2]
    subprocess.run(
        [*(sys.executable, "-m", "podwright", "--endpoint", any_server.endpoint), "stop", "--timeout", "0", old],
        check=False,
        capture_output=True,
    )
    agent.until(
        lambda: status(agent, name)["containerStatuses"][0]["restartCount"] == 1 and is_ready(agent, name),
        "the container runs again",
    )


def test_bad_manifests_leave_the_pods_alone(agent: AgentProcess, busybox_image: str) -> None:
    name = f"web-{node_name()}"
    agent.write("web.yaml", manifest("web", PLAIN, image=busybox_image, script=FOREVER))
    agent.until(lambda: is_ready(agent, name), "the pod is ready")
    first = container_id(agent, name)
    agent.write("web.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: we")
    agent.write("other.yaml", json.dumps({"kind": "Pod"}))
    os.symlink("loop.yaml", agent.manifests / "loop.yaml")
    agent.until(lambda: "cannot read a manifest" in agent.log.read_text(), "the log names the manifest")
    assert container_id(agent, name) == first
    os.unlink(agent.manifests / "loop.yaml")
