"""`podwright agent` as a process, at an API server on its bad days: pods run on, and in the end all is told right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from podwright.k8s.objects import ConfigMap, Node, ObjectMeta, Pod
from tests.agent.api_pods import (
    FOREVER,
    NODE,
    bind,
    delete,
    delete_all,
    events,
    is_ready,
    joined_agent,
    plain,
    pod,
)
from tests.agent.test_bad_days_on_runtimes import MEMORY_LIMIT_KIB
from tests.fixtures import FreshPodwright
from tests.harness.agent import AgentProcess
from tests.harness.apiserver.faults import Ailment, Fault
from tests.harness.apiserver.server import ADMIN, ApiServer
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch

pytestmark = [pytest.mark.root, pytest.mark.slow]

WITHOUT_END = 1_000_000
CONFIG_MAP_UPDATES = 11_000
BATCH = 100


@pytest.fixture
def api() -> Iterator[ApiServerThread]:
    with ApiServerThread() as server:
        yield server


@pytest.fixture
def agent(
    podwright_server: Podwright, scratch: Scratch, api: ApiServerThread, tmp_path: Path
) -> Iterator[AgentProcess]:
    often = {"syncFrequency": "1s", "nodeStatusUpdateFrequency": "1s", "nodeStatusReportFrequency": "1s"}
    config = {**often, "nodeLeaseDurationSeconds": 4}
    with joined_agent(scratch.part("agent"), podwright_server.endpoint, api, tmp_path, config) as process:
        yield process


class Instance:
    """What must not change of a pod that runs on."""

    def __init__(self, api: ApiServerThread, name: str) -> None:
        shown = pod(api, name)
        assert shown is not None
        (status,) = shown.status.container_statuses
        self.of = (shown.metadata.uid, status.container_id, status.restart_count)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Instance) and self.of == other.of

    __hash__ = None  # type: ignore[assignment] # compared only


def running(agent: AgentProcess, api: ApiServerThread, name: str, spec: str) -> Instance:
    """A pod that must run on."""
    bind(api, name, spec)
    agent.until(lambda: is_ready(api, name), f"{name} is ready")
    return Instance(api, name)


def waiting_job(image: str, folder: Path) -> str:
    """A pod that ends when there is a file `now` in the folder."""
    script = "until [ -e /folder/now ]; do sleep 0.1; done"
    container = {"name": "main", "image": image, "command": ["sh", "-c", script]}
    volume = {"name": "folder", "hostPath": {"path": str(folder)}}
    mounts = [{"name": "folder", "mountPath": "/folder"}]
    return yaml.safe_dump(
        {"restartPolicy": "Never", "containers": [{**container, "volumeMounts": mounts}], "volumes": [volume]}
    )


def disturb(api: ApiServerThread, *faults: Fault) -> None:
    """All connections break, and requests meet the faults from then on. Without any, all is well again."""
    api.stop()
    api.call(lambda server: server.faults.clear())
    for fault in faults:
        api.call(lambda server, fault=fault: server.faults.add(fault))  # type: ignore[misc] # the fault of this round
    api.start()


def phase(api: ApiServerThread, name: str) -> str:
    shown = pod(api, name)
    return shown.status.phase if shown is not None else ""


def node_is_ready(api: ApiServerThread) -> bool:
    node: Node | None = api.get(Node, NODE)
    return node is not None and any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)


ALWAYS: dict[str, dict[str, Any]] = {
    "it hangs": {"ailment": Ailment.HANG},
    "it limits": {"ailment": Ailment.REFUSE, "code": 429, "retry_after_s": 1},
    "it fails": {"ailment": Ailment.REFUSE, "code": 500},
    "it knows nobody": {"ailment": Ailment.REFUSE, "code": 401},
    "it forbids": {"ailment": Ailment.REFUSE, "code": 403},
    "it talks nonsense": {"ailment": Ailment.GARBAGE},
    "it breaks off": {"ailment": Ailment.RESET},
}


@pytest.mark.parametrize("fault", ALWAYS.values(), ids=ALWAYS)
def test_a_server_that_is_no_use_for_a_while(
    agent: AgentProcess, api: ApiServerThread, image: str, tmp_path: Path, fault: dict[str, Any]
) -> None:
    web = running(agent, api, "web", plain(image))
    running(agent, api, "job", waiting_job(image, tmp_path))
    disturb(api, Fault(times=WITHOUT_END, **fault))
    (tmp_path / "now").touch()
    agent.until(lambda: agent.pods()["job"]["status"]["phase"] == "Succeeded", "the job has ended meanwhile")
    assert phase(api, "job") == "Running"
    disturb(api)
    running(agent, api, "new", plain(image))
    agent.until(lambda: phase(api, "job") == "Succeeded", "its end is told")
    agent.until(lambda: node_is_ready(api), "the node is ready")
    assert Instance(api, "web") == web


WATCHES: dict[str, dict[str, Any]] = {
    "everything twice": {"ailment": Ailment.DOUBLE, "times": WITHOUT_END},
    "an old event again": {"ailment": Ailment.REPLAY, "times": WITHOUT_END, "after": 1},
    "no event": {"ailment": Ailment.BAD_EVENT, "times": 5, "after": 1},
    "half an event": {"ailment": Ailment.CUT, "times": 5, "after": 1},
    "the version is too old": {"ailment": Ailment.EXPIRE, "times": 5, "after": 1},
}


@pytest.mark.parametrize("fault", WATCHES.values(), ids=WATCHES)
def test_watches_that_go_wrong(agent: AgentProcess, api: ApiServerThread, image: str, fault: dict[str, Any]) -> None:
    web = running(agent, api, "web", plain(image))
    disturb(api, Fault(watches=True, **fault))
    running(agent, api, "new", plain(image))
    delete(api, "new")
    agent.until(lambda: pod(api, "new") is None, "the new pod is gone")
    assert Instance(api, "web") == web


def test_a_server_whose_history_begins_anew(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    web = running(agent, api, "web", plain(image))
    api.call(lambda server: server.store.reset(empty=False))
    running(agent, api, "new", plain(image))
    agent.until(lambda: node_is_ready(api), "the node is ready")
    assert Instance(api, "web") == web


def test_a_server_that_has_lost_everything(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    """As with a kubelet, pods that it does not have any more end, and the node joins it when the agent starts."""
    running(agent, api, "web", plain(image))
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "static"},
        "spec": yaml.safe_load(plain(image)),
    }
    agent.write("static.yaml", yaml.safe_dump(document))
    static = f"static-{NODE}"
    agent.until(lambda: is_ready(api, static), "the static pod is ready")
    container = Instance(api, static).of[1]

    def lose_everything() -> None:
        api.call(lambda server: server.store.reset(empty=True))
        api.call(lambda server: server.fill())

    lose_everything()
    agent.until(lambda: set(agent.pods()) == {static}, "the pod of the API ends")
    agent.stop()
    agent.start()
    agent.until(lambda: node_is_ready(api), "the node has joined again")
    agent.until(lambda: is_ready(api, static), "the static pod has a mirror again")
    assert Instance(api, static).of[1:] == (container, 0)
    running(agent, api, "new", plain(image))
    agent.remove("static.yaml")
    agent.until(lambda: pod(api, static) is None, "the mirror is gone")


def test_a_node_that_is_deleted_under_its_agent(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    web = running(agent, api, "web", plain(image))
    api.call(lambda server: server.remove(Node, NODE))
    running(agent, api, "new", plain(image))
    agent.until(lambda: "the node's status is not written" in agent.log.read_text(), "the log says what is wrong")
    agent.stop()
    agent.start()
    agent.until(lambda: node_is_ready(api), "the node has joined again")
    assert Instance(api, "web") == web


def test_a_token_that_has_expired(
    podwright_server: Podwright, scratch: Scratch, api: ApiServerThread, image: str, tmp_path: Path
) -> None:
    """Whoever issues the tokens puts another one into the file, later than would be right."""
    file = tmp_path / "token"
    first, second = (api.call(lambda server: server.tokens.issue(ADMIN)) for _ in range(2))
    file.write_text(first)
    kubeconfig = api.call(lambda server: server.kubeconfig(str(tmp_path), user={"tokenFile": str(file)}))
    flags = [f"--kubeconfig={kubeconfig}", f"--hostname-override={NODE}"]
    with AgentProcess(scratch.part("agent"), podwright_server.endpoint, flags=flags) as agent:
        web = running(agent, api, "web", plain(image))
        api.call(lambda server: server.tokens.revoke(first))
        disturb(api)
        agent.until(lambda: "has expired" in agent.log.read_text(), "the log says what is wrong")
        bind(api, "new", plain(image))
        file.write_text(second)
        agent.until(lambda: is_ready(api, "new"), "the new pod is ready")
        assert Instance(api, "web") == web
        delete_all(agent, api)


def test_two_agents_with_one_name(
    agent: AgentProcess,
    api: ApiServerThread,
    image: str,
    scratch: Scratch,
    fresh_podwright: FreshPodwright,
    tmp_path: Path,
) -> None:
    web = running(agent, api, "web", plain(image))
    (tmp_path / "other").mkdir()
    config = {"nodeLeaseDurationSeconds": 4}
    other = joined_agent(scratch.part("other"), fresh_podwright().endpoint, api, tmp_path / "other", config)
    with other as rival:
        agent.until(lambda: "NodeNameNotUnique" in events(api, NODE), "an event says so")
        rival.until(lambda: agent_runs(rival, "web"), "the other one runs the pod too")
        rival.stop()
        agent.until(lambda: is_ready(api, "web") and Instance(api, "web") == web, "the first one's word counts again")


def agent_runs(agent: AgentProcess, name: str) -> bool:
    return bool(agent.pods().get(name, {}).get("status", {}).get("phase") == "Running")


def test_a_runtime_that_is_away_makes_the_node_not_ready(
    scratch: Scratch, api: ApiServerThread, image: str, fresh_podwright: FreshPodwright, tmp_path: Path
) -> None:
    runtime = fresh_podwright()
    config = {"nodeStatusUpdateFrequency": "1s"}
    with joined_agent(scratch.part("agent"), runtime.endpoint, api, tmp_path, config) as agent:
        web = running(agent, api, "web", plain(image))
        runtime.kill9()
        agent.until(lambda: not node_is_ready(api), "the node is not ready")
        runtime.start()
        agent.until(lambda: node_is_ready(api), "the node is ready again")
        assert Instance(api, "web") == web
        delete_all(agent, api)


def test_a_config_map_that_changes_all_the_time(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    def put(numbers: range) -> None:
        def within(server: ApiServer) -> None:
            for number in numbers:
                data = {"number": str(number), "filler": "x" * 1000}
                server.put(ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data=data))

        api.call(within)

    put(range(1))
    spec = f"""
containers:
- name: main
  image: {image}
  command: [sh, -c, '{FOREVER}']
  volumeMounts: [{{name: settings, mountPath: /settings}}]
volumes: [{{name: settings, configMap: {{name: settings}}}}]
"""
    web = running(agent, api, "web", spec)
    for start in range(0, CONFIG_MAP_UPDATES, BATCH):
        put(range(start, start + BATCH))
    last = str(CONFIG_MAP_UPDATES - 1)
    shown: Pod | None = pod(api, "web")
    assert shown is not None
    (file,) = (agent.root / "pods" / shown.metadata.uid).glob("volumes/*/settings/number")
    agent.until(lambda: file.read_text() == last, "the last one is in the volume")
    running(agent, api, "new", plain(image))
    assert Instance(api, "web") == web
    assert resident_kib(agent.pid) < MEMORY_LIMIT_KIB


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
