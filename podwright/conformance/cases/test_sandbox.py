"""Pod sandboxes: life, lists, names, files, namespaces."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, RunPod, remove_pod, sandbox_config
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import AlreadyExists, InvalidArgument, NotFound, PodwrightError

READY = api.PodSandboxStateValue(state=api.SANDBOX_READY)
NOTREADY = api.PodSandboxStateValue(state=api.SANDBOX_NOTREADY)


async def _status(pod: CasePod) -> api.PodSandboxStatus:
    request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id)
    return (await pod.cri.call(pod.cri.runtime.PodSandboxStatus, request)).status


async def _listed(pod: CasePod, **wanted: object) -> list[str]:
    request = api.ListPodSandboxRequest(filter=api.PodSandboxFilter(**wanted))  # type: ignore[arg-type] # keywords
    return [item.id for item in (await pod.cri.call(pod.cri.runtime.ListPodSandbox, request)).items]


async def test_status_tells_what_was_asked_for(run_pod: RunPod) -> None:
    async with run_pod(labels={"a": "1"}, annotations={"note": "x y"}) as pod:
        status = await _status(pod)
        assert status.id == pod.id
        assert status.metadata == pod.config.metadata
        assert status.state == api.SANDBOX_READY
        assert status.created_at > 1_600_000_000 * 10**9
        assert status.labels["a"] == "1"  # CRI-O adds its own
        assert dict(status.annotations) == {"note": "x y"}
        assert status.network.ip
        assert status.linux.namespaces.options.pid == api.CONTAINER


async def test_lists_filter_by_id_state_and_labels(run_pod: RunPod) -> None:
    async with run_pod(labels={"k": "one"}) as one, run_pod(labels={"k": "two", "l": "x"}) as two:
        assert await _listed(one, id=one.id) == [one.id]
        assert await _listed(one, id=one.id[:16]) == [one.id]
        assert await _listed(one, label_selector={"k": "two", "l": "x"}) == [two.id]
        assert await _listed(one, label_selector={"k": "two", "l": "y"}) == []
        assert await _listed(one, id="0" * 64) == []
        await one.cri.call(one.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=one.id))
        assert await _listed(one, id=one.id, state=READY) == []
        assert await _listed(one, id=one.id, state=NOTREADY) == [one.id]
        assert {one.id, two.id} <= set(await _listed(one))


async def test_stop_and_remove_may_be_repeated(pod: CasePod) -> None:
    for _ in range(2):
        await pod.cri.call(pod.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
    assert (await _status(pod)).state == api.SANDBOX_NOTREADY
    for _ in range(2):
        await remove_pod(pod.cri, pod.id)
    with pytest.raises(NotFound):
        await _status(pod)


@pytest.mark.deviates("containerd", "1.6 answers NOT_FOUND")
async def test_stopping_what_is_not_there_is_a_success(cri_server: CriPeer) -> None:
    cri = cri_server.client
    await cri.call(cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id="f" * 64))


async def test_unknown_ids(cri_server: CriPeer) -> None:
    cri = cri_server.client
    await cri.call(cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id="f" * 64))
    with pytest.raises(NotFound):
        await cri.call(cri.runtime.PodSandboxStatus, api.PodSandboxStatusRequest(pod_sandbox_id="f" * 64))


@pytest.mark.deviates("cri-o", "gives them the time until the request's deadline", run=False)
async def test_stop_kills_the_containers_and_remove_takes_them_along(pod: CasePod) -> None:
    container_id = await pod.run(("sleep", "1000"))
    await pod.cri.call(pod.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
    status = await pod.status(container_id)
    assert status.state == api.CONTAINER_EXITED
    assert status.exit_code == 137
    await pod.cri.call(pod.cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=pod.id))
    with pytest.raises(NotFound):
        await pod.status(container_id)


@pytest.mark.deviates("cri-o", "makes the sandbox anew")
@pytest.mark.deviates("containerd", 'fails fast with "name is reserved" under UNKNOWN')
async def test_the_same_request_again(pod: CasePod) -> None:
    request = api.RunPodSandboxRequest(config=pod.config)
    assert (await pod.cri.call(pod.cri.runtime.RunPodSandbox, request)).pod_sandbox_id == pod.id
    await pod.cri.call(pod.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
    with pytest.raises(AlreadyExists, match="attempt"):
        await pod.cri.call(pod.cri.runtime.RunPodSandbox, request)
    again = api.RunPodSandboxRequest(config=pod.config)
    again.config.metadata.attempt = 1
    second = await pod.cri.call(pod.cri.runtime.RunPodSandbox, again)
    assert second.pod_sandbox_id != pod.id
    await remove_pod(pod.cri, second.pod_sandbox_id)


@pytest.mark.deviates("cri-o", "a request that meets one in flight waits for its own deadline", run=False)
@pytest.mark.deviates("containerd", 'fails fast with "name is reserved" under UNKNOWN')
async def test_requests_at_once_make_one_sandbox(cri_server: CriPeer) -> None:
    cri = cri_server.client
    request = api.RunPodSandboxRequest(config=sandbox_config(cri_server))
    answers = await asyncio.gather(*(cri.call(cri.runtime.RunPodSandbox, request) for _ in range(5)))
    assert len({answer.pod_sandbox_id for answer in answers}) == 1
    await remove_pod(cri, answers[0].pod_sandbox_id)


async def test_a_pod_is_seen_once_it_is_ready(cri_server: CriPeer) -> None:
    """However often a client lists while pods are made, those that it sees are READY and have their addresses."""
    cri = cri_server.client
    configs = [sandbox_config(cri_server) for _ in range(4)]
    own = {config.metadata.uid for config in configs}
    runs = asyncio.gather(
        *(cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config)) for config in configs)
    )
    seen: list[api.PodSandboxStatus] = []
    while not runs.done():
        listed = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
        for item in listed.items:
            if item.metadata.uid in own:
                request = api.PodSandboxStatusRequest(pod_sandbox_id=item.id)
                seen.append((await cri.call(cri.runtime.PodSandboxStatus, request)).status)
    for made in await runs:
        await remove_pod(cri, made.pod_sandbox_id)
    assert all(status.state == api.SANDBOX_READY and status.network.ip for status in seen)


async def test_a_removed_pod_s_name_is_free(run_pod: RunPod) -> None:
    async with run_pod() as first:
        metadata = first.config.metadata
    async with run_pod(metadata=metadata) as second:
        assert second.id != first.id


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "answers UNKNOWN")
async def test_a_missing_config_is_refused(cri_server: CriPeer) -> None:
    cri = cri_server.client
    with pytest.raises(InvalidArgument):
        await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest())


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "takes a sandbox without namespace and uid")
@pytest.mark.parametrize("field", ["name", "namespace", "uid"])
async def test_a_missing_name_is_refused(cri_server: CriPeer, field: str) -> None:
    cri = cri_server.client
    config = sandbox_config(cri_server)
    config.metadata.ClearField(field)
    try:
        with pytest.raises(InvalidArgument, match=field):
            await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config))
    finally:
        for item in await _named(cri_server, config):
            await remove_pod(cri, item.id)


async def test_unknown_handler_is_refused(cri_server: CriPeer) -> None:
    cri = cri_server.client
    request = api.RunPodSandboxRequest(config=sandbox_config(cri_server), runtime_handler="no-such-handler")
    with pytest.raises(PodwrightError, match="no-such-handler"):
        await cri.call(cri.runtime.RunPodSandbox, request)


@pytest.mark.deviates("cri-o", "leaves /etc/hosts to the kubelet")
async def test_hostname_hosts_and_resolv_conf(run_pod: RunPod) -> None:
    dns = api.DNSConfig(servers=["10.9.9.9", "10.9.9.8"], searches=["a.example", "b.example"], options=["ndots:5"])
    async with run_pod(hostname="my-host", dns_config=dns) as pod:
        out = await pod.output("sh", "-c", "hostname; cat /etc/hostname; echo $HOSTNAME; cat /etc/resolv.conf")
        assert out.splitlines() == [
            "my-host",
            "my-host",
            "my-host",
            "search a.example b.example",
            "nameserver 10.9.9.9",
            "nameserver 10.9.9.8",
            "options ndots:5",
        ]
        assert "localhost" in await pod.output("cat", "/etc/hosts")


async def test_no_dns_config_is_the_host_s(run_pod: RunPod) -> None:
    async with run_pod() as pod:
        assert await pod.output("cat", "/etc/resolv.conf") == Path("/etc/resolv.conf").read_text()


@pytest.mark.deviates("cri-o", "takes it for none")
@pytest.mark.deviates("containerd", "1.6 takes it for none")
async def test_an_empty_dns_config_is_empty(run_pod: RunPod) -> None:
    async with run_pod(dns_config=api.DNSConfig()) as pod:
        assert await pod.output("cat", "/etc/resolv.conf") == ""


@pytest.mark.deviates("cri-o", "the process that holds a shared PID namespace needs CAP_SYS_RESOURCE")
async def test_a_config_without_linux_is_enough(cri_server: CriPeer) -> None:
    cri = cri_server.client
    config = sandbox_config(cri_server)
    parent = config.linux.cgroup_parent
    config.ClearField("linux")
    if parent:
        config.linux.cgroup_parent = parent
    made = await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config))
    await remove_pod(cri, made.pod_sandbox_id)


async def test_the_handler_and_the_attempt_are_told(run_pod: RunPod) -> None:
    async with run_pod() as pod:
        status = await _status(pod)
        assert status.runtime_handler == ""
        assert status.metadata.attempt == 0
        assert status.linux.namespaces.options.network == api.POD


@pytest.mark.deviates("cri-o", "tells no PID where there is no process")
async def test_verbose_tells_a_pid_and_the_config(pod: CasePod) -> None:
    request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id, verbose=True)
    info = (await pod.cri.call(pod.cri.runtime.PodSandboxStatus, request)).info
    told = json.loads(info["info"])
    assert isinstance(told["pid"], int)
    assert pod.config.metadata.uid in json.dumps(told["config"])


async def _verbose(pod: CasePod) -> dict[str, Any]:
    request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id, verbose=True)
    info = (await pod.cri.call(pod.cri.runtime.PodSandboxStatus, request)).info
    told: dict[str, Any] = json.loads(info["info"])
    return told


async def test_verbose_tells_the_path_of_the_network_namespace(pod: CasePod) -> None:
    """Where scripts look for it: jq '.info.runtimeSpec.linux.namespaces[] | select(.type == "network") | .path'."""
    namespaces = (await _verbose(pod))["runtimeSpec"]["linux"]["namespaces"]
    (path,) = (each["path"] for each in namespaces if each["type"] == "network")
    inside = await pod.output("readlink", "/proc/self/ns/net")
    assert inside == f"net:[{Path(path).stat().st_ino}]\n"


async def test_verbose_tells_no_network_namespace_of_a_pod_on_the_hosts_network(run_pod: RunPod) -> None:
    async with run_pod(namespaces=api.NamespaceOption(network=api.NODE, pid=api.CONTAINER)) as pod:
        namespaces = (await _verbose(pod))["runtimeSpec"]["linux"]["namespaces"]
        assert not [each for each in namespaces if each["type"] == "network"]


async def test_newer_sandboxes_have_later_times(run_pod: RunPod) -> None:
    async with run_pod() as first, run_pod() as second:
        assert (await _status(first)).created_at < (await _status(second)).created_at


async def test_an_empty_pod_s_address_is_its_own(run_pod: RunPod) -> None:
    async with run_pod() as one, run_pod() as other:
        addresses = {(await _status(pod)).network.ip for pod in (one, other)}
        assert len(addresses) == 2
        assert (await _status(one)).network.ip in await one.output("ip", "-4", "addr", "show", "eth0")
        await other.run(("httpd", "-f", "-p", "80", "-h", "/etc"))
        url = f"http://{(await _status(other)).network.ip}/passwd"
        script = f"for i in $(seq 100); do wget -q -O - {url} && exit; sleep 0.1; done; exit 1"
        assert "root:" in await one.output("sh", "-c", script)


@pytest.mark.deviates("cri-o", "tells the one that it had")
async def test_after_the_stop_no_address_is_told(pod: CasePod) -> None:
    await pod.cri.call(pod.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
    status = await _status(pod)
    assert status.HasField("network")
    assert status.network.ip == ""


@pytest.mark.deviates("podwright-docker", "the Engine joins no UTS namespace; the names are equal")
async def test_containers_share_network_ipc_and_shm_but_not_pids(pod: CasePod) -> None:
    await pod.run()
    await pod.output("sh", "-c", "echo shared > /dev/shm/file")
    links = "for n in net ipc uts; do readlink /proc/self/ns/$n; done"
    first = await pod.output("sh", "-c", f"cat /dev/shm/file; {links}")
    second = await pod.output("sh", "-c", f"cat /dev/shm/file; {links}")
    assert first == second
    assert first.startswith("shared\n")
    assert await pod.output("sh", "-c", "echo $$") == "1\n"


@pytest.mark.deviates("cri-o", "the process that holds a shared PID namespace needs CAP_SYS_RESOURCE")
async def test_a_shared_pid_namespace(run_pod: RunPod) -> None:
    namespaces = api.NamespaceOption(pid=api.POD)
    context = api.LinuxContainerSecurityContext(namespace_options=namespaces)
    linux = api.LinuxContainerConfig(security_context=context)
    async with run_pod(namespaces=namespaces) as pod:
        await pod.run(("sleep", "12345"), linux=linux)
        seen = await pod.output(
            "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo; cat /proc/1/comm", linux=linux
        )
        assert "sleep 12345" in seen
        assert seen.splitlines()[-1] == "pause" or "sleep" in seen  # containerd's pause image here sleeps


async def test_host_namespaces(run_pod: RunPod) -> None:
    namespaces = api.NamespaceOption(network=api.NODE, pid=api.NODE, ipc=api.NODE)
    linux = api.LinuxContainerConfig(security_context=api.LinuxContainerSecurityContext(namespace_options=namespaces))
    async with run_pod(namespaces=namespaces) as pod:
        out = await pod.output(
            "sh", "-c", "hostname; ls /proc 2>/dev/null | grep -c '^[0-9]'; ls /sys/class/net", linux=linux
        )
        name, processes, *interfaces = out.splitlines()
        assert name == socket.gethostname()
        assert int(processes) > 3
        assert "lo" in interfaces
        assert not (await _status(pod)).network.ip


async def test_sysctls(run_pod: RunPod) -> None:
    wanted = {"kernel.shm_rmid_forced": "1", "fs.mqueue.msg_max": "100", "net.ipv4.ip_local_port_range": "2000 3000"}
    async with run_pod(sysctls=wanted) as pod:
        paths = [f"/proc/sys/{name.replace('.', '/')}" for name in wanted]
        out = await pod.output("cat", *paths)
        assert out.split() == ["1", "100", "2000", "3000"]
        out = await pod.output("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start")
        assert out.strip() in ("0", "1024")  # containerd needs an option for it


@pytest.mark.deviates("cri-o", "leaves it to the kubelet")
@pytest.mark.deviates("containerd", "answers UNKNOWN")
async def test_a_sysctl_of_the_host_is_refused(cri_server: CriPeer) -> None:
    cri = cri_server.client
    config = sandbox_config(cri_server, sysctls={"kernel.panic": "1"})
    with pytest.raises(InvalidArgument):
        await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config))
    assert await _named(cri_server, config) == []


async def _named(peer: CriPeer, config: api.PodSandboxConfig) -> list[api.PodSandbox]:
    listing = await peer.client.call(peer.client.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    return [item for item in listing.items if item.metadata.name == config.metadata.name]


@pytest.mark.parametrize(
    "host_ips", [("",), ("", "127.0.0.1"), ("127.0.0.1", "")], ids=["all", "all, one", "one, all"]
)
@pytest.mark.deviates("cri-o", "not on 127.0.0.1", run=False)
async def test_host_port_answers(run_pod: RunPod, host_ips: tuple[str, ...]) -> None:
    """On all addresses. One of them may be named as well, as Kubernetes' validation allows."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mappings = [api.PortMapping(host_port=port, container_port=80, host_ip=host_ip) for host_ip in host_ips]
    async with run_pod(port_mappings=mappings) as pod:
        await pod.run(("httpd", "-f", "-p", "80", "-h", "/etc"))
        ip = (await _status(pod)).network.ip
        for address in ((ip, 80), ("127.0.0.1", port)):
            assert b"root:" in await _get(*address)


async def _get(host: str, port: int) -> bytes:
    for _ in range(100):
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 2)
        except (OSError, TimeoutError):
            await asyncio.sleep(0.05)
            continue
        writer.write(b"GET /passwd HTTP/1.0\r\n\r\n")
        data = await asyncio.wait_for(reader.read(), patient(60))
        writer.close()
        return data
    raise AssertionError(f"{host}:{port} does not answer")
