"""The commands that crictl has: each CRI call by hand, against real servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from podwright.cli.app import ALIASES
from podwright.conformance.peer import CriPeer
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound
from tests.cli.conftest import Cli, DemoPod, begun_cli

pytestmark = pytest.mark.root

OLD_PEER = "containerd"  # 1.6: without events, metrics and RuntimeConfig


class Configs:
    """A pod's and a container's config in files."""

    def __init__(self, directory: Path, peer: CriPeer, image: str) -> None:
        self.pod, self.container = directory / "pod.yaml", directory / "container.json"
        self.name = f"by-hand-{peer.name}"
        pod: dict[str, Any] = {
            "metadata": {"name": self.name, "namespace": "cli"},
            "log_directory": str(directory / "logs"),
            "linux": {"cgroup_parent": peer.cgroup_parent, "security_context": {"namespace_options": {"network": 2}}},
        }
        container = {
            "metadata": {"name": "main"},
            "image": {"image": image},
            "command": ["sh", "-c", "echo $GREETING; trap 'exit 0' TERM; sleep 1000 & wait"],
            "envs": [{"key": "GREETING", "value": "hello, wörld"}],
            "log_path": "main.log",
        }
        self.pod.write_text(yaml.safe_dump(pod), encoding="utf-8")
        self.container.write_text(json.dumps(container), encoding="utf-8")


@pytest_asyncio.fixture
async def configs(cri_server: CriPeer, busybox_image: str, tmp_path: Path) -> AsyncIterator[Configs]:
    made = Configs(tmp_path, cri_server, busybox_image)
    yield made
    cri = cri_server.client
    listed = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    for pod in listed.items:
        if pod.metadata.name == made.name:
            try:
                await cri.call(cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
            except NotFound:
                continue
            await cri.call(cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=pod.id))


async def test_a_pod_and_a_container_by_hand(cli: Cli, cri_server: CriPeer, configs: Configs) -> None:
    made = await cli("runp", str(configs.pod))
    assert (made.code, made.err) == (0, "")
    pod_id = made.out.strip()
    assert (await cli("pods", "-q", "--name", configs.name)).out == f"{pod_id}\n"
    created = await cli("create", "--with-pull", configs.name, str(configs.container), str(configs.pod))
    assert created.code == 0, created.err
    container_id = created.out.strip()
    assert (await cli("inspect", container_id)).json()["status"]["state"] == "CONTAINER_CREATED"
    started = await cli("start", container_id[:14], "zzz-not-there")
    assert (started.code, started.out) == (1, f"{container_id}\n")
    again = await cli("start", container_id)
    assert (again.code, again.out) == (1, "")
    async with begun_cli("logs", "-f", container_id, endpoint=cri_server.endpoint) as following:
        assert following.stdout is not None
        assert (await following.stdout.readline()).decode() == "hello, wörld\n"
        assert (await cli("stop", "-t", "5", container_id)).code == 0
        assert await following.wait() == 0
    assert (await cli("rmp", "-f", configs.name)).out == f"{pod_id}\n"


async def test_a_config_from_standard_input(cli: Cli, configs: Configs) -> None:
    made = await cli("runp", "-", stdin=configs.pod.read_bytes())
    assert made.code == 0, made.err
    wrong = await cli("runp", "-", stdin=b"{metadata: {name: a, namespace: b}, hostnam: c}")
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean hostname?" in wrong.err
    unknown = await cli("runp", "-r", "no-such-handler", str(configs.pod))
    assert unknown.code != 0
    assert "no-such-handler" in unknown.err


async def test_update(cli: Cli, cri_server: CriPeer, demo_pod: DemoPod) -> None:
    limits = ("--memory", str(64 * 2**20), "--cpu-period", "50000", "--cpu-quota", "25000", "--cpu-share", "512")
    done = await cli("update", *limits, f"{demo_pod.name}/main")
    assert (done.code, done.out) == (0, f"{demo_pod.container_id}\n"), done.err
    request = api.ContainerStatusRequest(container_id=demo_pod.container_id)
    status = (await cri_server.client.call(cri_server.client.runtime.ContainerStatus, request)).status
    linux = status.resources.linux
    if cri_server.name != OLD_PEER:  # which does not report resources
        assert (linux.memory_limit_in_bytes, linux.cpu_period, linux.cpu_quota) == (64 * 2**20, 50000, 25000)
    assert (await cli("update", "--memory", "-5000", demo_pod.container_id)).code != 0


async def test_events_as_lines_and_as_json(cli: Cli, cri_server: CriPeer, demo_pod: DemoPod) -> None:
    if cri_server.name == OLD_PEER:
        refused = await cli("events")
        assert (refused.code, refused.out) == (1, "")
        assert "cannot stream events" in refused.err
        assert len(refused.err.splitlines()) == 1
        return
    endpoint = cri_server.endpoint
    async with (
        begun_cli("events", "--pod", demo_pod.name, endpoint=endpoint) as lines,
        begun_cli("events", "--json", endpoint=endpoint) as documents,
    ):
        assert lines.stdout is not None
        assert documents.stdout is not None
        # Nobody tells when they listen: new containers come and go until both have seen one.
        seen: list[bytes] = []
        readers = asyncio.gather(lines.stdout.readline(), documents.stdout.readline())
        while not readers.done():
            await cli("stop", "-t", "1", demo_pod.container_id)
            await cli("rm", demo_pod.container_id)
            await _another_container(cri_server, demo_pod, attempt=len(seen) + 2)
            seen.append(b"")
            await asyncio.wait((readers,), timeout=0.5)
        line, document = await readers
    time, kind, what, *name, short_id = line.decode().split()  # a deletion may be the first: nothing has a name then
    assert time.startswith("20")
    assert kind in {"created", "started", "stopped", "deleted"}
    assert what in {"container", "pod", "?"}
    assert all(each.startswith(f"cli/{demo_pod.name}") for each in name)
    assert len(short_id) == 13
    event = json.loads(document)
    assert event["containerEventType"].startswith("CONTAINER_")
    assert "podSandboxStatus" in event


async def _another_container(peer: CriPeer, pod: DemoPod, attempt: int) -> None:
    cri = peer.client
    config = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="other", attempt=attempt),
        image=api.ImageSpec(image=pod.image),
        command=["true"],
    )
    config.linux.security_context.namespace_options.pid = api.CONTAINER
    sandbox = api.PodSandboxConfig(metadata=api.PodSandboxMetadata(name=pod.name, namespace="cli", uid="u"))
    request = api.CreateContainerRequest(pod_sandbox_id=pod.sandbox_id, config=config, sandbox_config=sandbox)
    await cri.call(cri.runtime.CreateContainer, request)


async def test_info(cli: Cli, cri_server: CriPeer) -> None:
    told = (await cli("info")).json()
    conditions = {each["type"]: each["status"] for each in told["status"]["conditions"]}
    assert conditions["RuntimeReady"]
    assert "config" in told
    quiet = yaml.safe_load((await cli("info", "-q", "-o", "yaml")).out)
    assert "config" not in quiet
    assert quiet["status"]["conditions"]


async def test_imagefsinfo(cli: Cli, demo_pod: DemoPod) -> None:
    heading, *rows = (await cli("imagefsinfo")).out.splitlines()
    assert heading.split() == ["HOLDS", "MOUNTPOINT", "USED", "FILES"]
    assert rows[0].split()[0] == "images"
    told = (await cli("imagefsinfo", "-o", "json")).json()
    assert told["imageFilesystems"][0]["fsId"]["mountpoint"] == rows[0].split()[1]


async def test_the_runtimes_configuration(cli: Cli, cri_server: CriPeer, demo_pod: DemoPod) -> None:
    done = await cli("runtime-config")
    if cri_server.name == OLD_PEER:
        assert done.code == 1
        assert "cannot tell its configuration" in done.err
    else:
        assert done.out in ("cgroup driver:  cgroupfs\n", "cgroup driver:  systemd\n")
        driver = (await cli("runtime-config", "-o", "json")).json()["linux"]["cgroupDriver"]
        assert driver.lower() in done.out
    # The network that is in use: the server's other pods keep it.
    request = api.PodSandboxStatusRequest(pod_sandbox_id=demo_pod.sandbox_id)
    address = (await cri_server.client.call(cri_server.client.runtime.PodSandboxStatus, request)).status.network.ip
    assert (await cli("update-runtime-config", "--pod-cidr", f"{address.rpartition('.')[0]}.0/24")).code == 0


async def test_metrics(cli: Cli, cri_server: CriPeer, demo_pod: DemoPod) -> None:
    done = await cli("metrics")
    if cri_server.name == OLD_PEER:
        assert done.code == 1
        assert "metrics" in done.err or "measure" in done.err
        return
    lines = done.out.splitlines()
    name = next(line for line in lines if demo_pod.name in line and not line.startswith("#")).partition("{")[0]
    assert sum(line.startswith(f"# HELP {name} ") for line in lines) == 1
    assert name in (await cli("metrics", "--descriptors")).out
    assert any(pod["podSandboxId"] == demo_pod.sandbox_id for pod in (await cli("metricsp")).json()["podMetrics"])
    assert any(each["name"] == name for each in (await cli("metricdescs")).json()["descriptors"])


async def test_checkpoint(cli: Cli, cri_server: CriPeer, demo_pod: DemoPod, tmp_path: Path) -> None:
    archive = tmp_path / "checkpoint.tar"
    done = await cli("checkpoint", "--export", str(archive), demo_pod.container_id)
    if done.code == 0:
        assert archive.stat().st_size
        assert done.out == f"{demo_pod.container_id}\n"
    else:
        assert "cannot checkpoint containers" in done.err
        assert len(done.err.splitlines()) == 1


async def test_crictls_names_for_pods_and_images(cli: Cli, demo_pod: DemoPod) -> None:
    assert (await cli("inspectp", demo_pod.name)).json()["status"]["id"] == demo_pod.sandbox_id
    assert (await cli("inspectp", demo_pod.container_id)).code == 1
    assert (await cli("inspecti", demo_pod.image)).json()["status"]["id"]
    assert demo_pod.name in (await cli("statsp")).out
    assert (await cli("stop", "--type", "pod", demo_pod.container_id)).code == 1
    assert (await cli("rm", "--type", "container", demo_pod.sandbox_id)).code == 1
    assert (await cli("stopp", demo_pod.sandbox_id)).out == f"{demo_pod.sandbox_id}\n"
    assert (await cli("rmp", demo_pod.sandbox_id)).out == f"{demo_pod.sandbox_id}\n"


@pytest.mark.parametrize("alias", list(ALIASES))
async def test_every_alias_has_help(podwright: Cli, alias: str) -> None:
    done = await podwright(alias, "--help")
    assert (done.code, done.err) == (0, "")
