"""What is mounted in every container, the order of mounts, and what a request's own mounts replace."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.linux import cgroup

Mounted = dict[str, tuple[str, set[str]]]


async def _mounted(pod: CasePod, **fields: object) -> Mounted:
    """Target -> (kind, options), of a new container. Of two at one target, the later one."""
    lines = (await pod.output("cat", "/proc/mounts", **fields)).splitlines()
    return {line.split()[1]: (line.split()[2], set(line.split()[3].split(","))) for line in lines}


@pytest.mark.deviates("cri-o", "leaves /etc/hosts to the kubelet")
async def test_every_container_has_them(pod: CasePod) -> None:
    mounted = await _mounted(pod)
    kinds = {place: mounted[place][0] for place in ("/proc", "/dev", "/dev/pts", "/dev/mqueue", "/dev/shm", "/sys")}
    assert kinds == {
        "/proc": "proc",
        "/dev": "tmpfs",
        "/dev/pts": "devpts",
        "/dev/mqueue": "mqueue",
        "/dev/shm": "tmpfs",
        "/sys": "sysfs",
    }
    assert {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"} <= set(mounted)
    assert {"ro", "nosuid", "nodev", "noexec"} <= mounted["/sys"][1]
    assert "/run" not in mounted


async def test_its_cgroup_is_all_that_a_container_sees(pod: CasePod) -> None:
    if cgroup.detect().layout != "v2":
        pytest.skip("with v1 or both, containers see the host's")
    assert await pod.output("cat", "/proc/self/cgroup") == "0::/\n"
    assert "ro" in (await _mounted(pod))["/sys/fs/cgroup"][1]


async def test_parents_come_before_what_is_below(pod: CasePod, tmp_path: Path) -> None:
    """Whatever order the request has them in."""
    for name in ("top", "middle", "bottom"):
        (tmp_path / name / "a" / "b").mkdir(parents=True)
        (tmp_path / name / "who").write_text(name)
    mounts = [
        api.Mount(container_path="/m/a/b", host_path=str(tmp_path / "bottom")),
        api.Mount(container_path="/m", host_path=str(tmp_path / "top")),
        api.Mount(container_path="/m/a/", host_path=str(tmp_path / "middle")),
    ]
    assert await pod.output("cat", "/m/who", "/m/a/who", "/m/a/b/who", mounts=mounts) == "topmiddlebottom"


async def test_sub_path_of_an_image_beside_a_host_path(pod: CasePod, tmp_path: Path) -> None:
    """Of a pod with an image volume, a kubelet says it of its other volumes too: their host path is the sub-path."""
    (tmp_path / "who").write_text("here")
    mounts = [api.Mount(container_path="/m", host_path=str(tmp_path), image_sub_path="sub")]
    assert await pod.output("cat", "/m/who", mounts=mounts) == "here"


@pytest.mark.parametrize("place", ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"])
async def test_files_of_the_request_replace_those_of_the_pod(pod: CasePod, tmp_path: Path, place: str) -> None:
    (tmp_path / "own").write_text("mine\n")
    mounts = [api.Mount(container_path=place, host_path=str(tmp_path / "own"))]
    script = f"cat {place}; grep -c ' {place} ' /proc/mounts"
    assert await pod.output("sh", "-c", script, mounts=mounts) == "mine\n1\n"


@pytest.mark.deviates("cri-o", "mounts the pod's too")
async def test_shared_memory_of_the_request_replaces_the_pods(pod: CasePod, tmp_path: Path) -> None:
    (tmp_path / "seen").touch()
    mounts = [api.Mount(container_path="/dev/shm", host_path=str(tmp_path))]
    assert await pod.output("ls", "/dev/shm", mounts=mounts) == "seen\n"


@pytest.mark.deviates("cri-o", "leaves /etc/hosts to the kubelet")
@pytest.mark.parametrize("readonly", [False, True])
async def test_the_pods_files_are_read_only_as_the_root_is(pod: CasePod, readonly: bool) -> None:
    linux = api.LinuxContainerConfig(
        security_context=api.LinuxContainerSecurityContext(
            readonly_rootfs=readonly, namespace_options=api.NamespaceOption(pid=api.CONTAINER)
        )
    )
    mounted = await _mounted(pod, linux=linux)
    for place in ("/", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"):
        assert ("ro" in mounted[place][1]) is readonly, place
    assert "rw" in mounted["/dev/shm"][1]
