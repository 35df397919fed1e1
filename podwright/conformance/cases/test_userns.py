"""Pods whose users are not the host's: user namespaces with idmapped mounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, RunPod, sandbox_config
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError

HOST_ID = 70000
LENGTH = 65536


def _mapping(host_id: int = HOST_ID, container_id: int = 0, length: int = LENGTH) -> api.IDMapping:
    return api.IDMapping(host_id=host_id, container_id=container_id, length=length)


def _mapped(**fields: object) -> api.NamespaceOption:
    users = api.UserNamespace(mode=api.POD, uids=[_mapping()], gids=[_mapping()])
    return api.NamespaceOption(**{"pid": api.CONTAINER, "userns_options": users, **fields})  # type: ignore[arg-type] # keywords of a case


def _volume(path: Path, **fields: object) -> api.Mount:
    """As the kubelet gives volumes to such pods."""
    given = {"container_path": "/volume", "host_path": str(path)}
    mappings = {"uidMappings": [_mapping()], "gidMappings": [_mapping()]}
    return api.Mount(**{**given, **mappings, **fields})  # type: ignore[arg-type] # keywords of a case


async def _output_words(pod: CasePod, *script: str, **fields: object) -> list[str]:
    """The words that a script prints."""
    return (await pod.output("sh", "-c", "; ".join(script), **fields)).split()


async def test_users_are_mapped_on_every_handler(able: list[str], run_pod: RunPod) -> None:
    for handler in able:
        async with run_pod(namespaces=_mapped(), runtime_handler=handler) as pod:
            words = await _output_words(pod, "cat /proc/self/uid_map /proc/self/gid_map", "id -u")
            assert words == ["0", str(HOST_ID), str(LENGTH)] * 2 + ["0"], handler


async def test_the_root_belongs_to_the_pods_root(able: list[str], run_pod: RunPod) -> None:
    async with run_pod(namespaces=_mapped()) as pod:
        words = await _output_words(
            pod,
            "stat -c %u:%g / /bin/busybox /etc/passwd",
            "touch /new /etc/new; chown 7:8 /etc/new",
            "stat -c %u:%g /new /etc/new",
        )
        assert words == ["0:0"] * 4 + ["7:8"]


async def test_what_the_pod_is_given_belongs_to_its_root(able: list[str], run_pod: RunPod) -> None:
    async with run_pod(namespaces=_mapped()) as pod:
        files = "/etc/hosts /etc/hostname /etc/resolv.conf /dev/shm /dev/pts"
        words = await _output_words(pod, f"stat -c %u:%g {files}", "touch /dev/shm/new /etc/hosts")
        assert words == ["0:0"] * 5


@pytest.mark.deviates("podwright-shim", "runc in a user namespace binds the host's device of the container's path")
async def test_devices_keep_their_modes(able: list[str], run_pod: RunPod) -> None:
    """Also those that the runtime makes: no umask acts on them."""
    devices = [
        api.Device(container_path=path, host_path="/dev/zero", permissions="rwm") for path in ("/opt/zero", "/dev/nil")
    ]
    async with run_pod(namespaces=_mapped()) as pod:
        words = await _output_words(pod, "stat -c %a /opt/zero /dev/nil /dev/null", "umask", devices=devices)
        assert words == ["666"] * 3 + ["0022"]


@pytest.mark.parametrize("uid", [0, 1000])
async def test_volumes_keep_their_owners(able: list[str], run_pod: RunPod, tmp_path: Path, uid: int) -> None:
    (tmp_path / "old").write_text("old")
    for path in (tmp_path, tmp_path / "old"):
        os.chown(path, uid, uid)
    context = api.LinuxContainerSecurityContext(run_as_user=api.Int64Value(value=uid), namespace_options=_mapped())
    async with run_pod(namespaces=_mapped()) as pod:
        words = await _output_words(
            pod,
            "cat /volume/old; echo",
            "echo new > /volume/new; stat -c %u /volume/old /volume/new",
            mounts=[_volume(tmp_path)],
            linux=api.LinuxContainerConfig(security_context=context),
        )
        assert words == ["old", str(uid), str(uid)]
    assert os.stat(tmp_path / "new").st_uid == uid


async def test_a_volume_without_mappings_is_nobodys(able: list[str], run_pod: RunPod, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    mount = api.Mount(container_path="/volume", host_path=str(tmp_path))
    async with run_pod(namespaces=_mapped()) as pod:
        script = "stat -c %u /volume; touch /volume/new 2>/dev/null || echo refused"
        assert await _output_words(pod, script, mounts=[mount]) == ["65534", "refused"]
    assert not (tmp_path / "new").exists()


async def test_a_file_as_a_volume(able: list[str], run_pod: RunPod, tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    async with run_pod(namespaces=_mapped()) as pod:
        mount = _volume(log, container_path="/dev/termination-log")
        assert await _output_words(pod, "echo last words > /dev/termination-log", mounts=[mount]) == []
    assert log.read_text() == "last words\n"


async def test_nothing_of_a_volume_is_held_after_the_end(able: list[str], run_pod: RunPod, tmp_path: Path) -> None:
    async with run_pod(namespaces=_mapped()) as pod:
        container = await pod.run(("true",), mounts=[_volume(tmp_path)])
        await pod.exited(container)
        held = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {tmp_path} " in line]
        assert held == []


async def test_exec_and_status(able: list[str], run_pod: RunPod) -> None:
    async with run_pod(namespaces=_mapped()) as pod:
        container = await pod.run_ready()
        inside = await pod.exec(container, "sh", "-c", "cat /proc/self/uid_map; id -u; touch /made; stat -c %u /made")
        assert inside.stdout.decode().split() == ["0", str(HOST_ID), str(LENGTH), "0", "0"]
        request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id)
        status = (await pod.cri.call(pod.cri.runtime.PodSandboxStatus, request)).status
        assert status.linux.namespaces.options == _mapped()


async def test_sysctls(able: list[str], run_pod: RunPod) -> None:
    sysctls = {
        "kernel.shm_rmid_forced": "1",
        "fs.mqueue.msg_max": "100",
        "net.ipv4.ip_local_port_range": "10000 20000",
        "net.ipv4.ping_group_range": "5 500",
    }
    async with run_pod(namespaces=_mapped(), sysctls=sysctls) as pod:
        paths = [f"/proc/sys/{name.replace('.', '/')}" for name in sysctls]
        words = await _output_words(pod, f"cat {' '.join(paths)}")
        assert words == ["1", "100", "10000", "20000", "5", "500"]


async def test_the_pods_root_owns_its_network(able: list[str], run_pod: RunPod) -> None:
    context = api.LinuxContainerSecurityContext(
        capabilities=api.Capability(add_capabilities=["NET_ADMIN"]), namespace_options=_mapped()
    )
    async with run_pod(namespaces=_mapped()) as pod:
        linux = api.LinuxContainerConfig(security_context=context)
        words = await _output_words(pod, "ip addr add 192.0.2.7/32 dev lo", "ip -o addr show dev lo", linux=linux)
        assert "192.0.2.7/32" in words


async def test_a_shared_pid_namespace(able: list[str], run_pod: RunPod) -> None:
    async with run_pod(namespaces=_mapped(pid=api.POD)) as pod:
        first = await pod.run_ready()
        words = await _output_words(pod, "cat /proc/1/uid_map", "ls -d /proc/[0-9]* | wc -l")
        assert words[:3] == ["0", str(HOST_ID), str(LENGTH)]
        assert int(words[3]) >= 3
        assert (await pod.exec(first, "true")).exit_code == 0


async def test_the_hosts_network(able: list[str], cri_server: CriPeer, run_pod: RunPod) -> None:
    status = await cri_server.client.call(cri_server.client.runtime.Status, api.StatusRequest())
    if not status.features.user_namespaces_host_network:
        pytest.skip("the runtime tells that it cannot")
    async with run_pod(namespaces=_mapped(network=api.NODE)) as pod:
        words = await _output_words(
            pod,
            "cat /proc/self/uid_map",
            "ls /sys/class/net | grep -cx lo",
            "grep -c ' /sys ' /proc/mounts",
            "touch /sys/kernel/x 2>&1 | grep -o 'Read-only'",
        )
        assert words == ["0", str(HOST_ID), str(LENGTH), "1", "1", "Read-only"]
        assert os.readlink("/proc/self/ns/net") in await pod.output("readlink", "/proc/self/ns/net")


async def test_the_hosts_users(run_pod: RunPod) -> None:
    users = api.UserNamespace(mode=api.NODE)
    async with run_pod(namespaces=api.NamespaceOption(pid=api.CONTAINER, userns_options=users)) as pod:
        assert await _output_words(pod, "cat /proc/self/uid_map") == Path("/proc/self/uid_map").read_text().split()


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "1.6 came before user namespaces: it ignores the field")
@pytest.mark.parametrize(
    "users",
    [
        api.UserNamespace(mode=api.POD),
        api.UserNamespace(mode=api.POD, uids=[_mapping()]),
        api.UserNamespace(mode=api.POD, uids=[_mapping(), _mapping(host_id=200000)], gids=[_mapping()]),
        api.UserNamespace(mode=api.POD, uids=[_mapping(container_id=1)], gids=[_mapping(container_id=1)]),
        api.UserNamespace(mode=api.POD, uids=[_mapping(length=0)], gids=[_mapping()]),
        api.UserNamespace(mode=api.POD, uids=[_mapping(host_id=2**32 - 2)], gids=[_mapping()]),
        api.UserNamespace(mode=api.CONTAINER, uids=[_mapping()], gids=[_mapping()]),
        api.UserNamespace(mode=api.TARGET),
        api.UserNamespace(mode=api.NODE, uids=[_mapping()], gids=[_mapping()]),
    ],
    ids=["none", "no-gids", "two", "without-root", "empty", "too-far", "container", "target", "node-mapped"],
)
async def test_refused(cri_server: CriPeer, users: api.UserNamespace) -> None:
    cri = cri_server.client
    config = sandbox_config(cri_server, namespaces=api.NamespaceOption(userns_options=users))
    with pytest.raises(InvalidArgument):
        await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config))
    wanted = api.PodSandboxFilter(label_selector=config.labels)
    pods = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest(filter=wanted))
    assert config.metadata.uid not in {pod.metadata.uid for pod in pods.items}


async def test_a_container_has_its_pods_users(able: list[str], run_pod: RunPod) -> None:
    other = _mapped()
    other.userns_options.uids[0].host_id += 1
    host = api.NamespaceOption(pid=api.CONTAINER, userns_options=api.UserNamespace(mode=api.NODE))
    async with run_pod(namespaces=_mapped()) as pod:
        for options in (other, host):
            context = api.LinuxContainerSecurityContext(namespace_options=options)
            with pytest.raises(InvalidArgument):
                await pod.create(linux=api.LinuxContainerConfig(security_context=context))
    async with run_pod() as plain:
        context = api.LinuxContainerSecurityContext(namespace_options=_mapped())
        with pytest.raises(PodwrightError):
            await plain.create(linux=api.LinuxContainerConfig(security_context=context))


async def test_a_volume_that_cannot_be_mapped(able: list[str], run_pod: RunPod) -> None:
    async with run_pod(namespaces=_mapped()) as pod:
        with pytest.raises(FailedPrecondition, match="/proc"):
            await pod.create(mounts=[_volume(Path("/proc"))])


async def test_privileged_among_the_pods_users(able: list[str], run_pod: RunPod) -> None:
    context = api.LinuxContainerSecurityContext(privileged=True, namespace_options=_mapped())
    async with run_pod(namespaces=_mapped(), security=api.LinuxSandboxSecurityContext(privileged=True)) as pod:
        linux = api.LinuxContainerConfig(security_context=context)
        script = "cat /proc/self/uid_map; mount -t tmpfs none /tmp && echo mounted; ls /dev/null"
        assert await _output_words(pod, script, linux=linux) == [
            "0",
            str(HOST_ID),
            str(LENGTH),
            "mounted",
            "/dev/null",
        ]
