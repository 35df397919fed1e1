"""Devices of the host in containers, and those that CDI names."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from podwright.conformance.pods import CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound, PodwrightError

ZERO = os.makedev(1, 5)
NOBODYS = os.makedev(240, 77)  # of the numbers for experiments


def _device(host_path: object, container_path: str = "/dev/mine", permissions: str = "rwm") -> api.Device:
    return api.Device(container_path=container_path, host_path=str(host_path), permissions=permissions)


async def test_a_device_under_another_name(pod: CasePod) -> None:
    script = "stat -c '%t:%T' /dev/mine; echo x > /dev/mine && echo written"
    assert await pod.output("sh", "-c", script, devices=[_device("/dev/null")]) == "1:3\nwritten\n"


async def test_a_device_through_a_link(pod: CasePod) -> None:
    link = Path(pod.config.log_directory) / "link"
    link.symlink_to("/dev/zero")
    assert await pod.output("stat", "-c", "%t:%T", "/dev/mine", devices=[_device(link)]) == "1:5\n"


async def test_a_directory_is_all_devices_in_it(pod: CasePod) -> None:
    folder = Path(pod.config.log_directory) / "bus"
    (folder / "deep").mkdir(parents=True)
    os.mknod(folder / "deep" / "zero", stat.S_IFCHR | 0o666, ZERO)
    (folder / "file").touch()
    device = _device(folder, "/dev/bus")
    assert await pod.output("find", "/dev/bus", "!", "-type", "d", devices=[device]) == "/dev/bus/deep/zero\n"


async def test_rights_are_those_asked_for(pod: CasePod) -> None:
    """The device has no driver: who has the right to open it is told so, who has not is refused before."""
    node = Path(pod.config.log_directory) / "node"
    os.mknod(node, stat.S_IFCHR | 0o666, NOBODYS)
    script = "(cat /dev/mine; echo x > /dev/mine) 2>&1; true"
    read, written = (await pod.output("sh", "-c", script, devices=[_device(node, permissions="r")])).splitlines()
    assert read.endswith("No such device or address")
    assert written.endswith("Operation not permitted")


@pytest.mark.deviates("cri-o", "goes without it")
async def test_what_is_no_device(pod: CasePod) -> None:
    with pytest.raises(PodwrightError):
        await pod.create(devices=[_device("/etc/passwd")])


@pytest.mark.deviates("cri-o", "asks for every capability, whatever the host has")
@pytest.mark.deviates("podwright-docker", "asks for every capability, whatever the host has")
async def test_privileged_has_all_devices(run_pod: RunPod) -> None:
    async with run_pod(security=api.LinuxSandboxSecurityContext(privileged=True)) as pod:
        linux = api.LinuxContainerConfig(security_context=api.LinuxContainerSecurityContext(privileged=True))
        seen = (await pod.output("ls", "/dev", linux=linux)).split()
    of_the_host = {
        entry.name for entry in os.scandir("/dev") if stat.S_ISCHR(entry.stat(follow_symlinks=False).st_mode)
    }
    assert of_the_host - {"console"} <= set(seen)


@pytest.mark.deviates("containerd", "1.6 came before CDI")
@pytest.mark.parametrize(
    "fields",
    [
        {"CDI_devices": [api.CDIDevice(name="podwright.test/none=such")]},
        {"annotations": {"cdi.k8s.io/test": "podwright.test/none=such"}},
    ],
    ids=["field", "annotation"],
)
@pytest.mark.deviates("podwright-docker", "refuses every CDI device")
async def test_a_cdi_device_that_is_not_there(pod: CasePod, fields: dict[str, object]) -> None:
    with pytest.raises(PodwrightError, match=r"podwright\.test/none=such") as refusal:
        await pod.create(**fields)  # type: ignore[arg-type] # keywords of a case
    assert not isinstance(refusal.value, NotFound)
