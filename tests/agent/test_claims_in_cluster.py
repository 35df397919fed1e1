"""`podwright agent` as a process with claims of an API server, a CSI driver, pods that use it, and kills."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from podwright.agent.volumes.storage.plans import attachment_name, unique_name
from podwright.k8s.objects import (
    AttachedVolume,
    CSIDriver,
    CSIDriverSpec,
    CSINode,
    Node,
    ObjectMeta,
    ObjectReference,
    PersistentVolume,
    PersistentVolumeClaim,
    VolumeAttachment,
    VolumeAttachmentSource,
    VolumeAttachmentSpec,
    VolumeAttachmentStatus,
)
from podwright.linux import detached
from podwright.linux.mount import read_mounts
from tests.agent.api_pods import FOREVER, NODE, bind, delete, events, is_ready, joined_agent, pod
from tests.agent.volumes.storage.build import MemoryStorage, csi_volume
from tests.harness.agent import AgentProcess
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.csi_driver import CsiDriverThread
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch

DRIVER = "host.csi.test"


@pytest.fixture
def agent(
    podwright_server: Podwright, scratch: Scratch, api: ApiServerThread, tmp_path: Path
) -> Iterator[AgentProcess]:
    with joined_agent(scratch.part("agent"), podwright_server.endpoint, api, tmp_path) as process:
        yield process


@pytest.fixture
def driver(agent: AgentProcess) -> Iterator[CsiDriverThread]:
    with CsiDriverThread(agent.part.directory / "driver", agent.root / "plugins_registry") as thread:
        yield thread
        for path in reversed(kept_mounts(agent.root)):  # of a test that failed
            detached.detach(path)


def kept_mounts(root: Path) -> list[str]:
    """What is mounted for pods, and for the node."""
    return [point.target for point in read_mounts() if point.target.startswith(f"{root}/")]


def put_claim(api: ApiServerThread, volume: PersistentVolume) -> None:
    """A claim that a controller has bound."""
    storage, name = MemoryStorage(), volume.metadata.name
    storage.bind(volume)
    claim: PersistentVolumeClaim = api.put(storage.claims[name])
    bound = storage.volumes[name]
    reference = ObjectReference(namespace="default", name=name, uid=claim.metadata.uid)
    api.put(replace(bound, spec=replace(bound.spec, claim_ref=reference)))


def attach(api: ApiServerThread, handle: str) -> None:
    """What the attach/detach controller and a driver's attacher do."""
    attached = VolumeAttachment(
        metadata=ObjectMeta(name=attachment_name(DRIVER, handle, NODE)),
        spec=VolumeAttachmentSpec(attacher=DRIVER, node_name=NODE, source=VolumeAttachmentSource()),
        status=VolumeAttachmentStatus(attached=True, attachment_metadata={"device": "x"}),
    )
    api.put(attached)
    node: Node = api.get(Node, NODE)
    volumes = (*node.status.volumes_attached, AttachedVolume(name=unique_name(DRIVER, handle), device_path=""))
    api.put(replace(node, status=replace(node.status, volumes_attached=volumes)))


def in_use(api: ApiServerThread) -> tuple[str, ...]:
    node: Node = api.get(Node, NODE)
    return node.status.volumes_in_use


def test_claims_of_a_csi_driver(
    agent: AgentProcess, api: ApiServerThread, driver: CsiDriverThread, image: str
) -> None:
    api.put(CSIDriver(metadata=ObjectMeta(name=DRIVER), spec=CSIDriverSpec(attach_required=True)))
    agent.until(lambda: driver.driver.told, "the driver is registered")
    found: CSINode = api.get(CSINode, NODE)
    assert [(each.name, each.node_id, each.topology_keys) for each in found.spec.drivers] == [
        (DRIVER, "this-node", ("topology.csi.test/rack",))
    ]
    node: Node = api.get(Node, NODE)
    assert node.metadata.labels["topology.csi.test/rack"] == "r1"
    assert json.loads(node.metadata.annotations["csi.volume.kubernetes.io/nodeid"]) == {DRIVER: "this-node"}
    put_claim(api, csi_volume("files", handle="h1", csi={"fs_type": "ext4"}))
    put_claim(api, csi_volume("raw", handle="h2", volume_mode="Block"))
    spec = f"""
securityContext: {{fsGroup: 4242}}
containers:
- name: main
  image: {image}
  command: [sh, -c, 'test -b /dev/raw; echo kept > /files/file; echo sub > /part/x; {FOREVER}']
  volumeMounts: [{{name: files, mountPath: /files}}, {{name: files, mountPath: /part, subPath: a/b}}]
  volumeDevices: [{{name: raw, devicePath: /dev/raw}}]
volumes:
- {{name: files, persistentVolumeClaim: {{claimName: files}}}}
- {{name: raw, persistentVolumeClaim: {{claimName: raw}}}}
"""
    bind(api, "web", spec)
    names = tuple(sorted(unique_name(DRIVER, handle) for handle in ("h1", "h2")))
    agent.until(lambda: in_use(api) == names, "the node says what is in use")
    assert driver.driver.count("NodeStageVolume") == 0
    for handle in ("h1", "h2"):
        attach(api, handle)
    agent.until(lambda: is_ready(api, "web"), "the pod is ready")
    data = driver.driver.folder("h1")
    agent.until((data / "a/b/x").exists, "the container writes")
    assert ((data / "file").read_text(), data.stat().st_gid) == ("kept\n", 4242)
    agent.kill9()
    agent.start()
    agent.until(lambda: driver.driver.count("NodePublishVolume") >= 4, "the next agent takes the volumes over")
    agent.until(lambda: is_ready(api, "web"), "the pod is ready")
    delete(api, "web")
    agent.until(lambda: pod(api, "web") is None, "the pod is gone")
    agent.until(lambda: kept_mounts(agent.root)[1:] == [], "nothing stays mounted")
    agent.until(lambda: in_use(api) == (), "nothing is in use")
    assert (data / "a/b/x").read_text() == "sub\n"
    driver.stop()
    agent.until(lambda: not api.get(CSINode, NODE).spec.drivers, "the driver is gone from the node")


def test_a_claim_that_is_not_there_is_said_at_once(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    spec = f"""
containers:
- {{name: main, image: {image}, command: [sh, -c, '{FOREVER}'], volumeMounts: [{{name: x, mountPath: /x}}]}}
volumes: [{{name: x, persistentVolumeClaim: {{claimName: nothing}}}}]
"""
    bind(api, "web", spec)
    agent.until(lambda: "FailedMount" in events(api, "web"), "the event is written")
    put_claim(api, csi_volume("nothing", handle="h1"))
    delete(api, "web")
    agent.until(lambda: pod(api, "web") is None, "the pod is gone")
