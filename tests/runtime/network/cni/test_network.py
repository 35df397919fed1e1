"""The CNI network with real plugins, and with plugins that misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import stat
import textwrap
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from podwright.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    PodwrightError,
    Unavailable,
)
from podwright.linux import namespaces
from podwright.runtime.model.sandbox import PortMapping
from podwright.runtime.network.cni.network import CniNetwork
from tests.harness.cni import bridge_conf
from tests.runtime.network.conftest import MakeWorld
from tests.runtime.network.pods import HOST, World, bridge_ports, dial, has_link, on_host, serving
from tools.ports import free_port

pytestmark = pytest.mark.root

# Notes what it is called with; does what the files beside it say.
RECORDER = """\
    #!/bin/sh
    here=${0%/*}; me=${0##*/}
    stdin=$(cat)
    number=$(ls "$here/calls" | wc -l)
    { env | grep ^CNI_; echo; echo "$stdin"; } > "$here/calls/$(printf %03d "$number")-$me-$CNI_COMMAND"
    if [ "$CNI_COMMAND" = VERSION ]; then
        cat "$here/versions"; exit 0
    fi
    [ -e "$here/$me.$CNI_COMMAND" ] && . "$here/$me.$CNI_COMMAND"
    [ "$CNI_COMMAND" = ADD ] && cat "$here/result"
    exit 0
"""
RESULT = {
    "cniVersion": "1.1.0",
    "interfaces": [{"name": "eth0", "sandbox": "/x"}],
    "ips": [{"address": "10.9.9.9/24", "interface": 0}, {"address": "fd00::9/64"}],
}


class Recorded:
    """A world whose plugins `first` and `second` are scripts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.folder = Path(world.options().cni_bin_dirs[0])
        (self.folder / "calls").mkdir(parents=True)
        for name in ("first", "second"):
            (self.folder / name).write_text(textwrap.dedent(RECORDER))
            (self.folder / name).chmod(0o755)
        (self.folder / "result").write_text(json.dumps(RESULT))
        (self.folder / "versions").write_text('{"supportedVersions": ["0.4.0", "1.0.0", "1.1.0"]}')

    def configure(self, **over: Any) -> None:
        """Write the network."""
        capabilities = {"portMappings": True, "dns": True, "bandwidth": True}
        plugins = [{"type": "first", "capabilities": capabilities}, {"type": "second", "key": "value"}]
        document = {"cniVersion": "1.1.0", "name": "recorded", "plugins": plugins, **over}
        (self.world.conf_dir / "10-recorded.conflist").write_text(json.dumps(document))

    def when(self, plugin: str, command: str, script: str) -> None:
        """Let a plugin do something else."""
        (self.folder / f"{plugin}.{command}").write_text(script + "\n")

    def calls(self) -> list[str]:
        """Which plugin was called for what, in order; questions that change nothing left out."""
        ordered = [path.name[4:] for path in sorted((self.folder / "calls").iterdir())]
        return [name for name in ordered if not name.endswith(("-VERSION", "-STATUS"))]

    def versions_asked(self) -> int:
        """How often a plugin had to say what it speaks."""
        return len([path for path in (self.folder / "calls").iterdir() if path.name.endswith("-VERSION")])

    def call(self, name: str) -> tuple[dict[str, str], dict[str, Any]]:
        """Environment and input of the last call of that name."""
        path = max(path for path in (self.folder / "calls").iterdir() if path.name[4:] == name)
        env, _, stdin = path.read_text().partition("\n\n")
        return dict(line.split("=", 1) for line in env.splitlines()), json.loads(stdin)


@pytest_asyncio.fixture
async def recorded(make_world: MakeWorld, tmp_path: Path) -> Recorded:
    """A network of scripts."""
    world = await make_world(cni_bin_dirs=(str(tmp_path / "bin"),))
    made = Recorded(world)
    made.configure()
    return made


@pytest_asyncio.fixture
async def real(make_world: MakeWorld) -> World:
    """bridge, host-local and portmap of the distribution."""
    world = await make_world()
    configure_real(world)
    return world


def configure_real(world: World, *, masquerade: bool = True) -> None:
    """The distribution's bridge plugin leaves its rules when it cannot see the pod's address any more."""
    document = bridge_conf(world.part, "real")
    document["plugins"][0]["ipMasq"] = masquerade
    (world.conf_dir / "10-real.conflist").write_text(json.dumps(document))


def cache_files(world: World) -> list[Path]:
    folder = world.part.directory / "cni" / "results"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def forget_firewall_plugin() -> None:
    """Its common chains are meant to stay; not after a test."""
    comment = ("-m", "comment", "--comment", "CNI firewall plugin rules")
    on_host("iptables", "-w", "-D", "FORWARD", *comment, "-j", "CNI-FORWARD")
    for action in ("-F", "-X"):
        for chain in ("CNI-FORWARD", "CNI-ADMIN"):
            on_host("iptables", "-w", action, chain)


async def test_real_plugins(real: World) -> None:
    assert (await real.service.readiness()).ready
    port = free_port()
    one, two = (
        await real.attached(PortMapping(container_port=80, host_port=port), name="one"),
        await real.attached(name="two"),
    )
    assert one.attachment is not None
    assert (one.attachment.backend, one.attachment.detail) == ("cni", {"network": "real"})
    async with serving(one, 80, "one"):
        assert await dial(two, one.ip, 80) == f"one {two.ip}"
        assert (await dial(HOST, "127.0.0.1", port)).startswith("one")
        assert await dial(one, "127.0.0.1", 80) == "one 127.0.0.1"  # loopback is up
    await real.detach(one)
    await real.detach(one)
    assert len(bridge_ports(real.part.bridge)) == 1
    assert len(cache_files(real)) == 1
    with pytest.raises(OSError):  # noqa: PT011 # refused or timed out
        await dial(HOST, "127.0.0.1", port, timeout_s=0.3)


async def test_a_longer_chain(make_world: MakeWorld) -> None:
    """ptp, firewall, tuning and bandwidth: results handed on, and the annotation's limit set by the kernel."""
    world = await make_world()
    firewalled_before = "CNI-FORWARD" in on_host("iptables-save", "-t", "filter")
    bridge, _ = bridge_conf(world.part, "chain")["plugins"]
    plugins = [
        {"type": "ptp", "ipMasq": False, "ipam": bridge["ipam"]},
        {"type": "firewall", "backend": "iptables"},
        {"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}},
        {"type": "bandwidth", "capabilities": {"bandwidth": True}},
    ]
    document = {"cniVersion": "1.0.0", "name": "chain", "plugins": plugins}
    (world.conf_dir / "10-chain.conflist").write_text(json.dumps(document))
    pod = world.pod()
    pod.attachment = await world.service.attach(pod.request(annotations={"kubernetes.io/ingress-bandwidth": "10M"}))
    assert pod.run("sysctl", "-n", "net.core.somaxconn").strip() == "500"
    links = json.loads(on_host("ip", "-j", "route", "get", pod.ip))
    assert "rate 10Mbit" in on_host("tc", "qdisc", "show", "dev", links[0]["dev"])
    assert f"-s {pod.ip}/32" in on_host("iptables-save", "-t", "filter")
    async with serving(pod, 80, "pod"):
        assert (await dial(HOST, pod.ip, 80)).startswith("pod")
    await world.detach(pod)
    assert pod.ip not in on_host("iptables-save", "-t", "filter")
    assert not has_link(links[0]["dev"])
    if not firewalled_before:
        forget_firewall_plugin()


async def test_the_cache_is_libcni_s(real: World) -> None:
    pod = await real.attached()
    (path,) = cache_files(real)
    assert path.name == f"real-{pod.sandbox_id}-eth0"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = json.loads(path.read_text())
    assert document["kind"] == "cniCacheV1"
    assert (document["containerId"], document["ifName"], document["networkName"]) == (pod.sandbox_id, "eth0", "real")
    assert json.loads(base64.b64decode(document["config"]))["plugins"][0]["type"] == "bridge"
    assert document["result"]["ips"][0]["address"].startswith(pod.ip)
    assert ["K8S_POD_NAME", "pod"] in document["cniArgs"]


async def test_detach_with_the_namespace_gone(make_world: MakeWorld) -> None:
    real = await make_world()
    configure_real(real, masquerade=False)
    pod = await real.attached(PortMapping(container_port=80, host_port=free_port()))
    namespaces.unpin(pod.netns)
    await real.detach(pod)
    assert not cache_files(real)
    assert pod.ip not in on_host("iptables-save")
    assert not [name for name in os.listdir(real.part.directory / "ipam" / "real") if name == pod.ip]


async def test_twenty_at_once(real: World) -> None:
    pods = [real.pod(f"p{number}") for number in range(20)]
    attachments = await asyncio.gather(*(real.service.attach(pod.request()) for pod in pods))
    assert len({attachment.ips for attachment in attachments}) == 20
    await asyncio.gather(*(real.service.detach(pod.request(), None) for pod in pods))
    assert not cache_files(real)


async def test_check(make_world: MakeWorld) -> None:
    real = await make_world()
    configure_real(real, masquerade=False)
    pod = await real.attached()
    network: CniNetwork = real.service._cni  # the service only has it logged
    await network.check(pod.sandbox_id)
    pod.run("ip", "address", "flush", "dev", "eth0")
    with pytest.raises(Internal, match="CHECK: plugin"):
        await network.check(pod.sandbox_id)


async def test_the_protocol(recorded: Recorded) -> None:
    world = recorded.world
    port = PortMapping(container_port=80, host_port=8080)
    pod = world.pod("web")
    pod.attachment = await world.service.attach(
        pod.request(port, annotations={"kubernetes.io/egress-bandwidth": "1M"})
    )
    assert pod.attachment.ips == ("10.9.9.9", "fd00::9")
    env, first = recorded.call("first-ADD")
    assert env["CNI_CONTAINERID"] == pod.sandbox_id
    assert env["CNI_NETNS"] == pod.netns
    assert env["CNI_IFNAME"] == "eth0"
    assert "K8S_POD_NAME=web;" in env["CNI_ARGS"]
    assert (first["name"], first["cniVersion"]) == ("recorded", "1.1.0")
    assert "prevResult" not in first
    assert set(first["runtimeConfig"]) == {"portMappings", "dns", "bandwidth"}
    _, second = recorded.call("second-ADD")
    assert second["prevResult"] == RESULT
    assert second["key"] == "value"
    assert "runtimeConfig" not in second
    await world.detach(pod)
    assert recorded.calls() == ["first-ADD", "second-ADD", "second-DEL", "first-DEL"]
    env, deleted = recorded.call("first-DEL")
    assert deleted["prevResult"] == RESULT
    assert env["CNI_NETNS"] == pod.netns


async def test_old_plugins_get_no_result_on_del(recorded: Recorded) -> None:
    recorded.configure(cniVersion="0.3.1")
    (recorded.folder / "versions").write_text("no JSON")
    await recorded.world.detach(await recorded.world.attached())
    assert "prevResult" in recorded.call("second-ADD")[1]
    assert "prevResult" not in recorded.call("first-DEL")[1]


async def test_the_best_common_version_is_spoken(recorded: Recorded) -> None:
    recorded.configure(cniVersion="0.3.1", cniVersions=["0.3.1", "1.0.0", "1.1.0"])
    (recorded.folder / "versions").write_text('{"supportedVersions": ["0.3.1", "1.0.0"]}')
    await recorded.world.attached()
    assert recorded.call("first-ADD")[1]["cniVersion"] == "1.0.0"


async def test_a_plugin_is_asked_once_what_it_speaks(recorded: Recorded) -> None:
    """By the time the first pod comes; again when it is another program."""
    assert (await recorded.world.service.readiness()).ready
    recorded.configure()
    await recorded.world.service.start()
    assert recorded.versions_asked() == 2
    for name in ("one", "two"):
        await recorded.world.attached(name=name)
    assert recorded.versions_asked() == 2
    (recorded.folder / "versions").write_text('{"supportedVersions": ["1.0.0"]}')
    recorded.configure(cniVersions=["1.0.0", "1.1.0"])
    await recorded.world.attached(name="three")
    assert recorded.call("first-ADD")[1]["cniVersion"] == "1.0.0"
    assert recorded.versions_asked() == 4
    (recorded.folder / "versions").write_text('{"supportedVersions": ["1.0.0", "1.1.0"]}')
    (recorded.folder / "second").rename(recorded.folder / "older")
    shutil.copy(recorded.folder / "older", recorded.folder / "second")
    await recorded.world.attached(name="four")
    assert recorded.call("first-ADD")[1]["cniVersion"] == "1.1.0"
    assert recorded.versions_asked() == 6


async def test_a_version_that_a_plugin_lacks(recorded: Recorded) -> None:
    (recorded.folder / "versions").write_text('{"supportedVersions": ["0.4.0"]}')
    await recorded.world.service.start()
    assert "plugin first speaks 0.4.0" in (await recorded.world.service.readiness()).message
    with pytest.raises(FailedPrecondition, match=r"plugin first speaks 0.4.0, the configuration wants 1.1.0"):
        await recorded.world.attached()


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        (
            'echo \'{"code": 7, "msg": "bad subnet", "details": "oh"}\'; exit 1',
            FailedPrecondition,
            r"second: bad subnet: oh \(CNI error 7\)",
        ),
        ('echo \'{"code": 999, "msg": "broken"}\'; exit 1', Internal, r"second: broken \(CNI error 999\)"),
        ("echo garbage; exit 3", Internal, "second: ended with 3: garbage"),
        ("kill -9 $$", Internal, "second: was killed by signal 9"),
        ("echo garbage; exit 0", Internal, "second: printed an invalid CNI result"),
        ("exit 0", Internal, "assigned no address to eth0"),
        ("echo '{\"ips\": 3}'; exit 0", Internal, "violates the spec"),
    ],
)
async def test_a_failing_plugin(recorded: Recorded, script: str, error: type[PodwrightError], words: str) -> None:
    recorded.when("second", "ADD", script)
    with pytest.raises(error, match=words):
        await recorded.world.attached()
    assert recorded.calls()[-2:] == ["second-DEL", "first-DEL"]  # ADD may have taken something
    assert not cache_files(recorded.world)


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("sleep 60", DeadlineExceeded, "plugin second did not end ADD in time"),
        ('echo \'{"code": 11, "msg": "busy"}\'; exit 1', Unavailable, r"second: busy \(CNI error 11\)"),
    ],
    ids=["hangs", "busy"],
)
async def test_a_plugin_is_waited_for_until_the_deadline(
    recorded: Recorded, script: str, error: type[PodwrightError], words: str
) -> None:
    recorded.world.settings["timeout_s"] = 5.0
    await recorded.world.restart(set())
    recorded.when("second", "ADD", script)
    with pytest.raises(error, match=words):
        await recorded.world.attached()
    assert recorded.calls()[-2:] == ["second-DEL", "first-DEL"]
    assert not cache_files(recorded.world)


async def test_try_again_later(recorded: Recorded) -> None:
    recorded.when(
        "first",
        "ADD",
        '[ -e "$here/tried" ] || { touch "$here/tried"; echo \'{"code": 11, "msg": "busy"}\'; exit 1; }',
    )
    await recorded.world.attached()
    assert recorded.calls() == ["first-ADD", "first-ADD", "second-ADD"]


async def test_a_failing_del_is_told_and_repeated(recorded: Recorded) -> None:
    pod = await recorded.world.attached()
    recorded.when("first", "DEL", 'echo \'{"code": 5, "msg": "disk"}\'; exit 1')
    with pytest.raises(Internal, match="DEL: plugin first: disk"):
        await recorded.world.detach(pod)
    assert cache_files(recorded.world)
    (recorded.folder / "first.DEL").unlink()
    await recorded.world.detach(pod)
    assert not cache_files(recorded.world)


async def test_a_failing_del_stops_no_other_plugin(recorded: Recorded) -> None:
    """What the second plugin cannot undo must not keep the first one's address and rules."""
    pod = await recorded.world.attached()
    recorded.when("second", "DEL", 'echo \'{"code": 5, "msg": "later one"}\'; exit 1')
    recorded.when("first", "DEL", 'echo \'{"code": 5, "msg": "earlier one"}\'; exit 1')
    with pytest.raises(Internal, match="DEL: plugin second: later one"):
        await recorded.world.detach(pod)
    assert recorded.calls()[2:] == ["second-DEL", "first-DEL"]
    for plugin in ("first", "second"):
        (recorded.folder / f"{plugin}.DEL").unlink()
    await recorded.world.detach(pod)
    assert recorded.calls()[4:] == ["second-DEL", "first-DEL"]
    assert not cache_files(recorded.world)


async def test_a_failing_del_after_a_failed_add_is_not(recorded: Recorded) -> None:
    recorded.when("first", "ADD", 'echo \'{"code": 5, "msg": "no"}\'; exit 1')
    recorded.when("second", "DEL", 'echo \'{"code": 5, "msg": "no"}\'; exit 1')
    with pytest.raises(Internal, match="ADD: plugin first: no"):
        await recorded.world.attached()
    await recorded.world.detach(recorded.world.pods[0])


async def test_detach_goes_by_what_was_attached(recorded: Recorded) -> None:
    """Also after the configuration is gone and the daemon was started again."""
    pod = await recorded.world.attached()
    (recorded.world.conf_dir / "10-recorded.conflist").unlink()
    await recorded.world.restart({pod.sandbox_id})
    await recorded.world.detach(pod)
    assert recorded.calls()[-2:] == ["second-DEL", "first-DEL"]
    assert recorded.call("first-DEL")[1]["prevResult"] == RESULT


async def test_detach_by_the_cache_alone(recorded: Recorded) -> None:
    pod = await recorded.world.attached()
    await recorded.world.close()
    await recorded.world.open("lost-its-records")
    await recorded.world.detach(pod)
    assert recorded.calls()[-2:] == ["second-DEL", "first-DEL"]
    assert not cache_files(recorded.world)


async def test_reconcile(recorded: Recorded) -> None:
    kept, lost = await recorded.world.attached(name="kept"), await recorded.world.attached(name="lost")
    await recorded.world.restart({kept.sandbox_id})
    assert recorded.calls()[4:] == ["second-DEL", "first-DEL", "first-GC", "second-GC"]
    env, collected = recorded.call("second-GC")
    assert collected["cni.dev/valid-attachments"] == [{"containerID": kept.sandbox_id, "ifname": "eth0"}]
    assert "CNI_CONTAINERID" not in env
    assert lost.sandbox_id == recorded.call("first-DEL")[0]["CNI_CONTAINERID"]


async def test_leftovers_are_dropped_side_by_side(recorded: Recorded) -> None:
    """One that takes its time keeps no other waiting: here each DEL ends when the other one is under way."""
    for name in ("one", "two"):
        await recorded.world.attached(name=name)
    both = 'touch "$here/$CNI_CONTAINERID.seen"; until [ "$(ls "$here" | grep -c seen)" = 2 ]; do sleep 0.01; done'
    recorded.when("second", "DEL", both)
    await recorded.world.restart(set())
    assert not cache_files(recorded.world)  # nor was either killed at its deadline, which would have kept it


async def test_attachments_are_checked_after_a_restart(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    whole, broken = await recorded.world.attached(name="whole"), await recorded.world.attached(name="broken")
    gone = await recorded.world.attached(name="gone")
    namespaces.unpin(gone.netns)
    complaint = 'case "$CNI_ARGS" in *K8S_POD_NAME=broken*) echo \'{"code": 5, "msg": "no address"}\'; exit 1;; esac'
    recorded.when("second", "CHECK", complaint)
    await recorded.world.restart({whole.sandbox_id, broken.sandbox_id, gone.sandbox_id})
    await recorded.world.service._background.settle(30)
    assert sorted(call for call in recorded.calls() if "CHECK" in call) == ["first-CHECK"] * 2 + ["second-CHECK"] * 2
    assert recorded.call("second-CHECK")[1]["prevResult"] == RESULT
    complaints = [record.message for record in caplog.records if "CNI CHECK failed" in record.message]
    assert len(complaints) == 1
    assert broken.sandbox_id in complaints[0]


async def test_a_check_does_not_meet_a_detach(recorded: Recorded) -> None:
    pod = await recorded.world.attached()
    recorded.when("first", "CHECK", "exec sleep 60")
    await recorded.world.restart({pod.sandbox_id})
    while "first-CHECK" not in recorded.calls():  # noqa: ASYNC110 # it happens in another process
        await asyncio.sleep(0.01)
    await recorded.world.detach(pod)
    assert recorded.calls()[-2:] == ["second-DEL", "first-DEL"]


async def test_a_pod_asks_for_the_addresses_that_it_had(recorded: Recorded) -> None:
    """Also under another sandbox's id, after a restart. Only plugins that take `ips` can be asked."""
    plugins = [{"type": "first", "capabilities": {"ips": True}}, {"type": "second"}]
    recorded.configure(plugins=plugins)
    world = recorded.world
    before = await world.attached(name="web")
    assert "runtimeConfig" not in recorded.call("first-ADD")[1]
    await world.detach(before)
    await world.restart(set())
    await world.attached(name="web")
    assert recorded.call("first-ADD")[1]["runtimeConfig"] == {"ips": ["10.9.9.9/24", "fd00::9/64"]}
    assert "runtimeConfig" not in recorded.call("second-ADD")[1]
    await world.attached(name="other")
    assert "runtimeConfig" not in recorded.call("first-ADD")[1]


async def test_other_addresses_are_better_than_none(recorded: Recorded) -> None:
    recorded.configure(plugins=[{"type": "first", "capabilities": {"ips": True}}, {"type": "second"}])
    world = recorded.world
    await world.detach(await world.attached(name="web"))
    taken = 'case "$stdin" in *runtimeConfig*) echo \'{"code": 5, "msg": "taken"}\'; exit 1;; esac'
    recorded.when("first", "ADD", taken)
    await world.attached(name="web")
    assert recorded.calls()[4:] == ["first-ADD", "second-DEL", "first-DEL", "first-ADD", "second-ADD"]


async def test_no_gc_when_it_is_disabled_or_unknown(recorded: Recorded) -> None:
    for over in ({"disableGC": True}, {"cniVersion": "1.0.0"}):
        recorded.configure(**over)
        await recorded.world.service.recover([])
    assert recorded.calls() == []


async def test_half_an_add_is_undone_after_a_crash(recorded: Recorded) -> None:
    """The daemon is gone in the middle of ADD: nothing but the record tells."""
    recorded.when("second", "ADD", "sleep 100")
    pod = recorded.world.pod()
    task = asyncio.create_task(recorded.world.service._cni.attach(pod.request()))  # no undoing, as in a crash
    while "second-ADD" not in recorded.calls():  # noqa: ASYNC110 # it happens in another process
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    await recorded.world.restart(set())
    assert recorded.calls()[:4] == ["first-ADD", "second-ADD", "second-DEL", "first-DEL"]


async def test_status_makes_readiness(recorded: Recorded) -> None:
    service = recorded.world.service
    recorded.when("second", "STATUS", 'echo \'{"code": 50, "msg": "no agent"}\'; exit 1')
    await service.start()
    readiness = await service.readiness()
    assert (readiness.ready, readiness.reason) == (False, "NetworkPluginNotReady")
    assert readiness.message == "Network plugin returns error: plugin second: no agent (CNI error 50)"
    env, _ = recorded.call("second-STATUS")
    assert "CNI_CONTAINERID" not in env
    (recorded.folder / "second.STATUS").unlink()
    await service.start()
    assert (await service.readiness()).ready


async def test_readiness_follows_the_directory(make_world: MakeWorld) -> None:
    world = await make_world(mode="cni")
    readiness = await world.service.readiness()
    assert (readiness.ready, readiness.reason) == (False, "NetworkPluginNotReady")
    assert readiness.message.startswith("Network plugin returns error: no CNI configuration in ")
    with pytest.raises(FailedPrecondition, match="no usable CNI network"):
        await world.attached()
    configure_real(world)
    assert (await world.service.readiness()).ready


async def test_auto_prefers_cni_and_never_mixes(make_world: MakeWorld) -> None:
    world = await make_world()
    on_bridge = await world.attached(name="before")
    assert on_bridge.attachment is not None
    assert on_bridge.attachment.backend == "bridge"
    (world.conf_dir / "10-broken.conflist").write_text(
        json.dumps({"name": "n", "plugins": [{"type": "not-installed"}]})
    )
    assert "not-installed is not installed" in (await world.service.readiness()).message
    with pytest.raises(FailedPrecondition, match="not-installed"):
        await world.attached()
    await world.detach(on_bridge)
    await world.service.close()
    assert not has_link(world.part.bridge)


async def test_mode_bridge_ignores_cni(make_world: MakeWorld) -> None:
    world = await make_world(mode="bridge")
    configure_real(world)
    pod = await world.attached()
    assert pod.attachment is not None
    assert pod.attachment.backend == "bridge"


async def test_bad_annotations_are_the_caller_s_fault(recorded: Recorded) -> None:
    pod = recorded.world.pod()
    with pytest.raises(InvalidArgument, match="ingress-bandwidth"):
        await recorded.world.service.attach(pod.request(annotations={"kubernetes.io/ingress-bandwidth": "1"}))
    assert recorded.calls() == []
