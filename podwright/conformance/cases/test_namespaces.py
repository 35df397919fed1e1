"""Namespaces and what belongs to them: the host's IPC, shared memory, sysctls of the pod's network, loud orphans."""

from __future__ import annotations

import os
import tempfile

import pytest

from podwright.conformance.cgroups import cgroup_of
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, RunPod, sandbox_config
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError

LINK = "readlink /proc/self/ns/{}"


@pytest.mark.deviates("cri-o", "the process that holds a shared PID namespace needs CAP_SYS_RESOURCE")
@pytest.mark.parametrize("mode", [api.CONTAINER, api.POD, api.NODE], ids=["own", "pod", "node"])
async def test_children_that_write_on_end_with_the_first_process(run_pod: RunPod, mode: api.NamespaceMode) -> None:
    async with run_pod(namespaces=api.NamespaceOption(pid=mode)) as pod:
        watcher = await pod.run(name="watcher")
        word = f"of-{pod.id[:16]}"  # the host may have others that say yes
        status = await pod.exited(await pod.run(("sh", "-c", f"yes {word} & yes {word} & sleep 0.3; exit 3")))
        assert (status.exit_code, status.reason) == (3, "Error")
        seen = (await pod.exec(watcher, "ps", "-o", "args")).stdout.decode().splitlines()
        assert f"yes {word}" not in [line.strip() for line in seen]


async def test_the_hosts_ipc(run_pod: RunPod) -> None:
    namespaces = api.NamespaceOption(pid=api.CONTAINER, ipc=api.NODE)
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as shared:
        shared.write(b"the host's\n")
        shared.flush()
        async with run_pod(namespaces=namespaces) as pod:
            out = await pod.output("sh", "-c", f"cat {shared.name}; {LINK.format('ipc')}")
    assert out.splitlines() == ["the host's", os.readlink("/proc/self/ns/ipc")]


async def test_the_pods_ipc_is_its_own(pod: CasePod) -> None:
    out = await pod.output("sh", "-c", LINK.format("ipc"))
    assert out.strip() != os.readlink("/proc/self/ns/ipc")


async def test_shared_memory_is_small_and_holds_no_programs(pod: CasePod) -> None:
    out = await pod.output("sh", "-c", "grep ' /dev/shm ' /proc/mounts; stat -c %a /dev/shm")
    mounted, mode = out.splitlines()
    _, _, kind, options, *_ = mounted.split()
    assert kind == "tmpfs"
    assert {"rw", "nosuid", "nodev", "noexec", "size=65536k"} <= set(options.split(","))
    assert mode == "1777"


@pytest.mark.deviates("cri-o", "does so only when it is configured to")
@pytest.mark.deviates("containerd", "1.6 does so only when it is configured to")
async def test_low_ports_and_ping_need_no_privilege(pod: CasePod) -> None:
    names = ("ip_unprivileged_port_start", "ping_group_range")
    out = await pod.output("cat", *(f"/proc/sys/net/ipv4/{name}" for name in names))
    assert out.split() == ["0", "0", "2147483647"]


@pytest.mark.deviates("cri-o", "takes it for a namespace of each container's own")
@pytest.mark.deviates("containerd", "1.6 takes it for a namespace of each container's own")
async def test_a_target_is_for_containers_alone(cri_server: CriPeer) -> None:
    cri = cri_server.client
    config = sandbox_config(cri_server, namespaces=api.NamespaceOption(pid=api.TARGET, target_id="f" * 64))
    with pytest.raises(PodwrightError):
        await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config))


async def test_cgroups_are_made_below_the_pods_parent(cri_server: CriPeer, pod: CasePod) -> None:
    if not cri_server.cgroup_parent:
        pytest.skip("no parent was given")
    paths = (await cgroup_of(pod, await pod.run())).paths
    name = cri_server.cgroup_parent.strip("/").rpartition("/")[2]
    assert any(name in path.split("/") for path in paths.values())
