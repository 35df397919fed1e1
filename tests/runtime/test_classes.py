"""Block I/O classes of a file, and RDT classes of the kernel."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from podwright.conformance.pods import running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.classes import ResourceClasses, WantedClasses, amount, requested
from tests.fixtures import FreshPodwright

FILE = """
Classes:
  slow:
  - Weight: 80
  - Devices: [/dev/no-such-*, /dev/null]
    ThrottleReadBps: 10M
    ThrottleWriteIOPS: 1Ki
"""


HOST = CgroupHost(layout="v2", unified="/sys/fs/cgroup", unified_controllers=frozenset({"io"}))
SLOW = WantedClasses(blockio="slow")


def spec() -> dict[str, Any]:
    return {"linux": {"resources": {"cpu": {}}}}


def test_a_class_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text(FILE)
    document = spec()
    ResourceClasses(str(path), HOST).apply(document, SLOW)
    assert document["linux"]["resources"] == {"cpu": {}, "blockIO": {"weight": 80}}  # null is no block device
    with pytest.raises(FailedPrecondition, match=r"no Block I/O class 'fast' \(known classes: slow\)"):
        ResourceClasses(str(path), HOST).apply(document, WantedClasses(blockio="fast"))


@pytest.mark.parametrize("text", ["{", "Classes: [1]", "Classes: {slow: [{Devices: 3}]}", "Classes: {slow: [{X: 3}]}"])
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text(text)
    with pytest.raises(FailedPrecondition, match=r"classes\.yaml"):
        ResourceClasses(str(path), HOST).apply(spec(), SLOW)


def test_nothing_is_configured() -> None:
    with pytest.raises(FailedPrecondition, match="no file is configured"):
        ResourceClasses("", HOST).apply(spec(), SLOW)


def test_a_kernel_without_block_limits(tmp_path: Path) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text(FILE)
    with pytest.raises(FailedPrecondition, match="slow needs a cgroup controller"):
        ResourceClasses(str(path), CgroupHost(layout="v1", controllers={"cpu": "/x"})).apply(spec(), SLOW)


POD = {
    "blockio.resources.beta.kubernetes.io/pod": "all",
    "blockio.resources.beta.kubernetes.io/container.main": "main",
    "rdt.resources.beta.kubernetes.io/container.main": "gold",
}


@pytest.mark.parametrize(
    ("name", "pod", "container", "wanted"),
    [
        ("main", {}, {}, WantedClasses()),
        ("main", POD, {}, WantedClasses(blockio="main", rdt="gold")),
        ("side", POD, {}, WantedClasses(blockio="all")),
        ("main", POD, {"io.kubernetes.cri.blockio-class": "own"}, WantedClasses(blockio="own", rdt="gold")),
        ("side", POD, {"io.kubernetes.cri.rdt-class": "tin"}, WantedClasses(blockio="all", rdt="tin")),
        ("main", POD, {"io.kubernetes.cri.blockio-class": ""}, WantedClasses(rdt="gold")),
    ],
)
def test_annotations_name_classes(
    name: str, pod: dict[str, str], container: dict[str, str], wanted: WantedClasses
) -> None:
    assert requested(name, pod, container) == wanted


def test_rdt_classes(tmp_path: Path) -> None:
    (tmp_path / "gold").mkdir()
    document = spec()
    ResourceClasses("", HOST, resctrl=str(tmp_path)).apply(document, WantedClasses(rdt="gold"))
    assert document["linux"]["intelRdt"] == {"closID": "gold"}
    with pytest.raises(FailedPrecondition, match="no RDT class tin"):
        ResourceClasses("", HOST, resctrl=str(tmp_path)).apply(document, WantedClasses(rdt="tin"))
    with pytest.raises(FailedPrecondition, match="needs the kernel's resctrl"):
        ResourceClasses("", HOST, resctrl=str(tmp_path / "none")).apply(document, WantedClasses(rdt="tin"))
    with pytest.raises(InvalidArgument, match="not the name"):
        ResourceClasses("", HOST, resctrl=str(tmp_path)).apply(document, WantedClasses(rdt="../x"))


@pytest.mark.parametrize(("text", "number"), [(5, 5), ("5", 5), ("10M", 10**7), ("2Ki", 2048)])
def test_amounts(text: str | int, number: int) -> None:
    assert amount(text) == number


def test_what_is_no_amount() -> None:
    with pytest.raises(FailedPrecondition):
        amount("10 M")


BLOCK_DEVICES = sorted(path for path in Path("/dev").iterdir() if path.is_block_device())
FILES = {"blkio": "blkio.throttle.read_bps_device", "io": "io.max"}  # by controller


@pytest.mark.root
@pytest.mark.skipif(not BLOCK_DEVICES, reason="this machine has no block device to limit")
async def test_a_class_reaches_the_kernel(fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path) -> None:
    """On every handler whose containers have a cgroup of their own."""
    device = BLOCK_DEVICES[-1]
    path = tmp_path / "classes.yaml"
    path.write_text(f"Classes: {{slow: [{{Devices: [{device}], ThrottleReadBps: 5M}}]}}")
    handlers = {"crun": {}, "runc": {}, "shim": {"type": "shim"}}
    server = fresh_podwright({"handlers": handlers, "containers": {"blockio_config_file": str(path)}})
    facts = os.stat(device)
    number = f"{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}"
    pod_annotations = {"blockio.resources.beta.kubernetes.io/container.c0": "slow"}
    async with server.client() as client:
        for name in handlers:
            peer = server.peer(client)
            async with running_pod(peer, busybox_image, runtime_handler=name, annotations=pod_annotations) as pod:
                container = await pod.run()
                asked = api.ContainerStatusRequest(container_id=container, verbose=True)
                shown = await client.call(client.runtime.ContainerStatus, asked)
                limits = read_limits(json.loads(shown.info["info"])["cgroup"])
                assert any(number in line and "5000000" in line for line in limits.splitlines()), (name, limits)
                with pytest.raises(FailedPrecondition, match="no Block I/O class 'fast'"):
                    await pod.create(annotations={"io.kubernetes.cri.blockio-class": "fast"})


def read_limits(path: str) -> str:
    """What the kernel has of a cgroup's Block I/O."""
    host = cgroup.detect()
    controller = next(name for name in FILES if host.has(name))
    return Path(f"{host.directory(path, controller)}/{FILES[controller]}").read_text()
