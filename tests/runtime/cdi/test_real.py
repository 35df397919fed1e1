"""CDI files of a vendor, through the daemon, into containers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition
from tests.faults.node import Node, running_node
from tests.fixtures import FreshPodwright

pytestmark = [pytest.mark.root]

ASKED = [api.CDIDevice(name="vendor.test/device=d0")]


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    """Where files may be, the later of which counts."""
    for name in ("etc", "run"):
        (tmp_path / name).mkdir()
    return tmp_path / "etc", tmp_path / "run"


@pytest_asyncio.fixture
async def node(
    fresh_podwright: FreshPodwright, busybox_image: str, directories: tuple[Path, Path]
) -> AsyncIterator[Node]:
    """A daemon that looks for files there."""
    settings = {"containers": {"cdi_spec_dirs": [str(path) for path in directories]}}
    async with running_node(fresh_podwright(settings), busybox_image) as node:
        yield node


def _write(file: Path, **edits: object) -> None:
    devices = [{"name": "d0", "containerEdits": edits}]
    file.write_text(json.dumps({"cdiVersion": "1.0.0", "kind": "vendor.test/device", "devices": devices}))


async def test_a_node_a_mount_a_variable_a_group_and_a_hook(node: Node, directories: tuple[Path, Path]) -> None:
    etc, run = directories
    library = run.parent / "library"
    library.mkdir()
    (library / "lib.so").write_text("vendor's")
    called = run.parent / "called"
    _write(etc / "vendor.json", env=["OLD=1"])
    _write(
        run / "vendor.json",
        env=["VENDOR=yes"],
        deviceNodes=[{"path": "/dev/vendor0", "hostPath": "/dev/null", "permissions": "rw", "fileMode": 0o640}],
        mounts=[{"hostPath": str(library), "containerPath": "/usr/lib/vendor", "options": ["ro", "bind", "nosuid"]}],
        hooks=[{"hookName": "createRuntime", "path": "/bin/touch", "args": ["touch", str(called)]}],
        additionalGids=[4321],
    )
    pod = await node.pod()
    script = "; ".join(
        [
            "stat -c '%t:%T %a %u:%g' /dev/vendor0",
            "echo x > /dev/vendor0 && echo written",
            "cat /usr/lib/vendor/lib.so; echo",
            "touch /usr/lib/vendor/x 2>&1",
            "echo $VENDOR$OLD",
            "id -G",
        ]
    )
    security = api.LinuxContainerSecurityContext(run_as_user=api.Int64Value(value=1000))
    out = await pod.output(
        "sh", "-c", script, CDI_devices=ASKED, linux=api.LinuxContainerConfig(security_context=security)
    )
    number, written, content, refused, variable, groups = out.splitlines()
    assert (number, written, content, variable) == ("1:3 640 1000:0", "written", "vendor's", "yes")
    assert "Read-only file system" in refused
    assert "4321" in groups.split()
    assert called.exists()
    await node.emptied()


async def test_hooks_of_a_containers_whole_life(node: Node, directories: tuple[Path, Path]) -> None:
    """Also those of the steps that a runtime need not be asked for when there are no hooks."""
    folder = directories[0].parent / "called"
    folder.mkdir()
    names = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    # A hook that does not read what it is told may be gone before it is, and crun dies of the broken pipe then.
    hooks = [
        {"hookName": name, "path": "/bin/sh", "args": ["sh", "-c", f"cat > /dev/null; : > {folder / name}"]}
        for name in names
    ]
    _write(directories[0] / "vendor.json", hooks=hooks)
    pod = await node.pod()
    container = await pod.run(CDI_devices=ASKED)
    assert {path.name for path in folder.iterdir()} == {*names} - {"poststop"}
    await pod.stop(container, timeout=0)
    assert not (folder / "poststop").exists()
    await node.cri.call(node.cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=container))
    assert (folder / "poststop").exists()
    await node.emptied()


async def test_devices_of_the_annotations(node: Node, directories: tuple[Path, Path]) -> None:
    (directories[0] / "vendor.yaml").write_text(
        """
        cdiVersion: "0.6.0"
        kind: vendor.test/device
        containerEdits: {env: [FILE=once]}
        devices:
        - {name: a, containerEdits: {env: [A=1]}}
        - {name: b, containerEdits: {env: [B=1]}}
        """
    )
    pod = await node.pod()
    annotations = {"cdi.k8s.io/plugin": "vendor.test/device=a,vendor.test/device=b"}
    asked = [api.CDIDevice(name="vendor.test/device=b")]
    out = await pod.output("sh", "-c", "echo $FILE $A $B", annotations=annotations, CDI_devices=asked)
    assert out == "once 1 1\n"
    container = await pod.create(annotations=annotations, CDI_devices=asked)
    assert not (await pod.status(container)).mounts
    await node.emptied()


async def test_what_was_given_stays_through_a_kill_of_the_daemon(node: Node, directories: tuple[Path, Path]) -> None:
    """Also when the vendor's file has gone: devices are looked up when a container is created."""
    file = directories[0] / "vendor.json"
    _write(file, env=["VENDOR=yes"], deviceNodes=[{"path": "/dev/vendor0", "hostPath": "/dev/null"}])
    pod = await node.pod()
    running = await pod.run_ready(CDI_devices=ASKED)
    created = await pod.create(CDI_devices=ASKED)
    file.unlink()
    await node.reborn()
    await pod.start(created)
    for container in (running, created):
        answer = await pod.exec(container, "sh", "-c", "echo $VENDOR > /dev/vendor0 && echo $VENDOR")
        assert answer.stdout == b"yes\n"
    await node.emptied()


async def test_what_cannot_be_given_is_one_error_and_leaves_nothing(
    node: Node, directories: tuple[Path, Path]
) -> None:
    pod = await node.pod()
    file = directories[0] / "vendor.json"
    with pytest.raises(FailedPrecondition, match=r"CDI device vendor\.test/device=d0 is in no file"):
        await pod.create(CDI_devices=ASKED)
    file.write_text("{")
    with pytest.raises(FailedPrecondition, match=f"vendor.test/device=d0 .*{file}: cannot parse it"):
        await pod.create(CDI_devices=ASKED)
    _write(file, deviceNodes=[{"path": "/dev/not-there"}])
    with pytest.raises(FailedPrecondition, match=r"vendor\.test/device=d0: device node /dev/not-there: No such file"):
        await pod.create(CDI_devices=ASKED)
    _write(file, env=["NOW=1"])  # seen without a restart
    assert await pod.output("sh", "-c", "echo $NOW", CDI_devices=ASKED) == "1\n"
    await node.emptied()


async def test_a_device_of_the_users(fresh_podwright: FreshPodwright, busybox_image: str) -> None:
    settings = {"containers": {"device_ownership_from_security_context": True}}
    async with running_node(fresh_podwright(settings), busybox_image) as node:
        pod = await node.pod()
        security = api.LinuxContainerSecurityContext(
            run_as_user=api.Int64Value(value=1000), run_as_group=api.Int64Value(value=2000)
        )
        device = api.Device(container_path="/dev/mine", host_path="/dev/null", permissions="rwm")
        linux = api.LinuxContainerConfig(security_context=security)
        out = await pod.output("stat", "-c", "%u:%g", "/dev/mine", devices=[device], linux=linux)
        assert out == "1000:2000\n"
        await node.emptied()
