"""The agent and the runtime are killed at random moments: in the end the manifests say what there is."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from podwright.agent.pods.identity import CONTAINER_NAME, POD_NAME, POD_UID
from podwright.agent.resources.cgroups import CLASSES
from podwright.conformance.patience import patient
from podwright.cri.client import CHANNEL_OPTIONS
from podwright.cri.v1 import api_pb2 as api
from podwright.cri.v1 import api_pb2_grpc
from podwright.linux import cgroup
from tests.agent.test_on_runtimes import FOREVER, FULL, PLAIN, is_ready, manifest, node_name
from tests.fixtures import FreshPodwright
from tests.harness.agent import AgentProcess
from tests.harness.cgroups import names_in
from tests.harness.containerd import Containerd
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer
from tools.registry import Registry

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(600)]

ROUNDS = 8
LONGEST_PAUSE_S = 1.2  # between a change and the kill: a start of a pod, or its end, takes about as long
# Dead containers are collected each minute, and what they held goes a minute later.
SETTLE_S, POLL_S = 240.0, 0.2
LOG_TAIL = 8192
SLOW_STOP = """
  containers:
  - name: main
    image: {image}
    imagePullPolicy: Always
    command: [sh, -c, '{script}']
    lifecycle: {{preStop: {{exec: {{command: [sleep, '1']}}}}}}
    volumeMounts: [{{name: memory, mountPath: /memory}}]
  volumes: [{{name: memory, emptyDir: {{medium: Memory}}}}]
"""
KINDS = {"plain": PLAIN, "full": FULL, "slow": SLOW_STOP}
NAMES = ("a", "b", "c")
ENDS_BY_ITSELF = "first"  # FULL's init container


@pytest.fixture(params=["podwright", pytest.param("containerd", marks=pytest.mark.peer)])
def server(request: pytest.FixtureRequest) -> Iterator[CriServer]:
    """A server of the test's own, which it may kill."""
    if request.param == "podwright":
        make: FreshPodwright = request.getfixturevalue("fresh_podwright")
        yield make()
        return
    scratch: Scratch = request.getfixturevalue("scratch")
    registry: Registry = request.getfixturevalue("registry")
    certs_d: Path = request.getfixturevalue("certs_d")
    with Containerd(scratch.part("ctd"), pause_image=f"{registry.host}/pause:1", certs_d=certs_d) as containerd:
        containerd.start()
        yield containerd


class Node:
    """An agent on a server, and what its manifests say."""

    def __init__(self, agent: AgentProcess, server: CriServer, image: str) -> None:
        self.agent = agent
        self.server = server
        self.wanted: set[str] = set()
        self._image = image
        self._versions = Counter[str]()
        self._changed: set[str] = set()  # pods whose manifests have changed since the last check
        self._lasting: dict[tuple[str, str], str] = {}  # containers that must run on, by pod and name

    def change(self, name: str, chance: random.Random) -> None:
        """A manifest appears, changes or goes."""
        pod = f"{name}-{node_name()}"
        self._changed.add(pod)
        self._lasting = {key: value for key, value in self._lasting.items() if key[0] != pod}
        if name in self.wanted and chance.random() < 0.5:
            self.wanted.discard(name)
            self.agent.remove(f"{name}.yaml")
            return
        self.wanted.add(name)
        self._versions[name] += chance.randrange(2)
        script = f"echo {self._versions[name]}; {FOREVER}"
        spec = KINDS[chance.choice(sorted(KINDS))]
        self.agent.write(f"{name}.yaml", manifest(name, spec, image=self._image, script=script))

    def running(self) -> list[api.Container]:
        """What runs, of all pods."""
        with grpc.insecure_channel(self.server.endpoint, options=CHANNEL_OPTIONS) as channel:
            listed = api_pb2_grpc.RuntimeServiceStub(channel).ListContainers(
                api.ListContainersRequest(), timeout=patient(60)
            )
        return [each for each in listed.containers if each.state == api.CONTAINER_RUNNING]

    def check_lasting(self) -> None:
        """Nobody has touched what runs for a reason that still holds."""
        now = {(each.labels[POD_NAME], each.labels[CONTAINER_NAME]): each.id for each in self.running()}
        for key, identifier in self._lasting.items():
            assert now.get(key) == identifier, f"container {key} was restarted"
        self._lasting |= {key: value for key, value in now.items() if key[1] != ENDS_BY_ITSELF and self._stays(key[0])}
        self._changed.clear()

    def _stays(self, name: str) -> bool:
        """Whether the pod of that name is as its manifest says: nothing of an older one is left."""
        if name in self._changed:
            return False
        uids = {each.labels[POD_UID] for each in self.running() if each.labels[POD_NAME] == name}
        found = self.agent.pods().get(name)
        return found is not None and uids == {found["metadata"]["uid"]}

    def wait_until_settled(self) -> None:
        """Wait until there are the pods of the manifests, and nothing of any other one."""
        deadline = time.monotonic() + SETTLE_S
        while (problem := self._problem()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        assert not problem, f"{problem}\n{self.agent.log.read_text()[-LOG_TAIL:]}"

    def _problem(self) -> str:
        pods = self.agent.pods()
        uids = {pod["metadata"]["uid"] for pod in pods.values()}
        if set(pods) != (names := {f"{name}-{node_name()}" for name in self.wanted}):
            return f"the pods are {sorted(pods)}, not {sorted(names)}"
        if unready := [name for name in pods if not is_ready(self.agent, name)]:
            return f"{unready} are not ready"
        found = {
            "containers": {each.labels[POD_UID] for each in self.running()},
            "directories": set(os.listdir(self.agent.root / "pods")),
            "cgroups": self._cgroups(),
        }
        return "; ".join(f"{what} of {held} and not of {uids}" for what, held in found.items() if held != uids)

    def _cgroups(self) -> set[str]:
        """The UIDs of the pods that have a cgroup."""
        host, names = cgroup.detect(), names_in(self.agent.part)
        parents = [names.of_class(qos) for qos in CLASSES]
        found = (
            (parent, path) for parent in parents for each in host.directories(parent) for path in Path(each).glob("*")
        )
        return {uid for parent, path in found if (uid := names.uid_of(parent, path.name))}

    def check_single(self) -> None:
        """Each container runs once, and each pod has one sandbox."""
        containers = Counter((each.labels[POD_UID], each.labels[CONTAINER_NAME]) for each in self.running())
        assert set(containers.values()) <= {1}, containers
        with grpc.insecure_channel(self.server.endpoint, options=CHANNEL_OPTIONS) as channel:
            listed = api_pb2_grpc.RuntimeServiceStub(channel).ListPodSandbox(
                api.ListPodSandboxRequest(), timeout=patient(60)
            )
        ready = Counter(each.labels[POD_UID] for each in listed.items if each.state == api.SANDBOX_READY)
        assert set(ready) == {uid for uid, _ in containers}
        assert set(ready.values()) <= {1}, ready


@pytest.fixture
def node(server: CriServer, scratch: Scratch, busybox_image: str) -> Iterator[Node]:
    with AgentProcess(scratch.part("agent"), server.endpoint) as agent:
        yield Node(agent, server, busybox_image)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_agent_is_killed(node: Node, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        for name in chance.sample(NAMES, chance.randrange(1, 3)):
            node.change(name, chance)
        time.sleep(chance.uniform(0, LONGEST_PAUSE_S))
        node.check_lasting()
        node.agent.kill9()
        if chance.random() < 0.4:
            node.change(chance.choice(NAMES), chance)
        node.agent.start()
    node.wait_until_settled()
    node.check_lasting()
    node.check_single()


def test_the_runtime_is_killed_at_rest(node: Node) -> None:
    for name in NAMES:
        node.change(name, random.Random(4))
    node.wait_until_settled()
    node.check_lasting()
    node.check_lasting()  # the first one was right after the changes
    node.server.kill9()
    time.sleep(1)
    node.server.start()
    node.wait_until_settled()
    node.check_lasting()
    node.check_single()


# containerd, killed in the middle of a call of a CNI plugin, leaves rules of the host's firewall behind.
@pytest.mark.parametrize("server", ["podwright"], indirect=True)
def test_the_runtime_is_killed(node: Node) -> None:
    chance = random.Random(3)
    for number in range(ROUNDS // 2):
        for name in chance.sample(NAMES, 2):
            node.change(name, chance)
        time.sleep(chance.uniform(0, LONGEST_PAUSE_S))
        node.check_lasting()
        node.server.kill9()
        if number % 2:
            node.agent.kill9()
        time.sleep(chance.uniform(0, 1))
        node.server.start()
        if number % 2:
            node.agent.start()
    node.wait_until_settled()
    node.check_lasting()
    node.check_single()
