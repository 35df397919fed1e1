"""NRI on a daemon: a plug-in of the tests' own that speaks the wire protocol, and those of the public repository."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from podwright.conformance.patience import patient
from podwright.conformance.pods import CasePod, running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Internal, PodwrightError
from podwright.runtime.nri.api import nri_pb2 as pb
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright
from tests.runtime.nri.plugin import PATIENCE_S, ScriptedPlugin, connected

pytestmark = pytest.mark.root

PATIENT = {"plugin_request_timeout_s": PATIENCE_S, "plugin_registration_timeout_s": PATIENCE_S}


@pytest.fixture
def server(fresh_podwright: FreshPodwright) -> Podwright:
    return fresh_podwright({"nri": PATIENT})


@pytest_asyncio.fixture
async def pod(server: Podwright, busybox_image: str) -> AsyncIterator[CasePod]:
    async with server.client() as client, running_pod(server.peer(client), busybox_image) as made:
        yield made


def socket_of(server: Podwright) -> Path:
    return server.directory / "nri.sock"


def container_of(request: Message) -> pb.Container:
    found = getattr(request, "container", None)
    return found if isinstance(found, pb.Container) else pb.Container()


def creating(**adjust: object) -> dict[str, Message | Exception | float]:
    return {"CreateContainer": pb.CreateContainerResponse(adjust=pb.ContainerAdjustment(**adjust))}  # type: ignore[arg-type]


async def test_every_step_is_heard_in_order(server: Podwright, busybox_image: str) -> None:
    mode = stat.S_IMODE(socket_of(server).stat().st_mode)
    assert mode == 0o600
    async with (
        connected(socket_of(server)) as plugin,
        server.client() as client,
        running_pod(server.peer(client), busybox_image) as pod,
    ):
        container = await pod.run_ready()
        await client.call(
            client.runtime.UpdateContainerResources,
            api.UpdateContainerResourcesRequest(
                container_id=container, linux=api.LinuxContainerResources(cpu_shares=512)
            ),
        )
        await client.call(
            client.runtime.UpdatePodSandboxResources,
            api.UpdatePodSandboxResourcesRequest(
                pod_sandbox_id=pod.id, resources=api.LinuxContainerResources(cpu_shares=512)
            ),
        )
        failing = await pod.create(("sh", "-c", "exit 3"))
        await client.call(client.runtime.StartContainer, api.StartContainerRequest(container_id=failing))
        await plugin.hears("StopContainer")
    own = [name for name, request in plugin.asked if container_of(request).id == container]
    steps = ["CreateContainer", "PostCreateContainer", "StartContainer", "PostStartContainer"]
    assert own == [*steps, "UpdateContainer", "PostUpdateContainer", "StopContainer", "RemoveContainer"]
    of_pod = [name for name in plugin.heard() if "PodSandbox" in name]
    pods = ["RunPodSandbox", "UpdatePodSandbox", "PostUpdatePodSandbox", "StopPodSandbox", "RemovePodSandbox"]
    assert of_pod == pods
    ended = [container_of(request).state for name, request in plugin.asked if name == "StopContainer"]
    assert ended == [pb.CONTAINER_STOPPED] * 2
    assert plugin.heard().index("StopPodSandbox") > max(
        number for number, name in enumerate(plugin.heard()) if name == "StopContainer"
    )


async def test_a_container_is_adjusted(server: Podwright, pod: CasePod) -> None:
    wanted = creating(
        annotations={"by": "plugin"},
        env=[pb.KeyValue(key="FROM", value="a plug-in")],
        mounts=[pb.Mount(destination="/given", type="tmpfs", source="tmpfs", options=["size=64k"])],
        rlimits=[pb.POSIXRlimit(type="RLIMIT_NOFILE", hard=77, soft=66)],
        linux=pb.LinuxContainerAdjustment(
            devices=[pb.LinuxDevice(path="/dev/given", type="c", major=1, minor=3)],
            oom_score_adj=pb.OptionalInt(value=777),
            resources=pb.LinuxResources(memory=pb.LinuxMemory(limit=pb.OptionalInt64(value=64 << 20))),
        ),
    )
    async with connected(socket_of(server), plugin=ScriptedPlugin(answers=wanted)):
        container = await pod.run_ready()
    script = "echo $FROM; ulimit -Sn; ulimit -Hn; grep -c ' /given ' /proc/mounts; cat /proc/1/oom_score_adj"
    told = (await pod.exec(container, "sh", "-c", script)).stdout.decode().split("\n")
    assert told[:5] == ["a plug-in", "66", "77", "1", "777"]
    status = await pod.cri.call(pod.cri.runtime.ContainerStatus, api.ContainerStatusRequest(container_id=container))
    assert status.status.resources.linux.memory_limit_in_bytes == 64 << 20


async def test_conflicts_and_refusals_leave_nothing(server: Podwright, pod: CasePod) -> None:
    wanted = creating(args=["true"])
    async with (
        connected(socket_of(server), index="10", name="one", plugin=ScriptedPlugin(answers=wanted)),
        connected(socket_of(server), index="20", name="two", plugin=ScriptedPlugin(answers=wanted)),
    ):
        with pytest.raises(PodwrightError, match="plug-ins 10-one and 20-two both set Args"):
            await pod.create()
    refusing = ScriptedPlugin(answers={"CreateContainer": PodwrightError("not here")})
    async with connected(socket_of(server), plugin=refusing):
        with pytest.raises(PodwrightError, match="10-test: not here"):
            await pod.create()
    validator = ScriptedPlugin(
        events=1 << (pb.VALIDATE_CONTAINER_ADJUSTMENT - 1),
        answers={"ValidateContainerAdjustment": pb.ValidateContainerAdjustmentResponse(reject=True, reason="no")},
    )
    async with connected(socket_of(server), plugin=validator):
        with pytest.raises(PodwrightError, match="rejects the container: no"):
            await pod.create()
    listed = await pod.cri.call(pod.cri.runtime.ListContainers, api.ListContainersRequest())
    assert not listed.containers
    assert not list((server.state / "containers").glob("*"))


async def test_one_that_hangs_is_dropped_and_the_pod_goes_on(
    fresh_podwright: FreshPodwright, busybox_image: str
) -> None:
    server = fresh_podwright({"nri": {**PATIENT, "plugin_request_timeout_s": 2.0}})
    hangs = ScriptedPlugin(answers={"CreateContainer": 600.0})
    async with (
        server.client() as client,
        running_pod(server.peer(client), busybox_image) as pod,
        connected(socket_of(server), plugin=hangs) as plugin,
    ):
        await pod.run_ready()
        async with asyncio.timeout(patient(60)):
            await plugin.ended.wait()


async def test_one_that_crashes_or_sends_garbage_is_dropped(server: Podwright, pod: CasePod) -> None:
    async with connected(socket_of(server)) as plugin:
        plugin.transport.write(b"\xff" * 64)
        async with asyncio.timeout(patient(60)):
            await plugin.ended.wait()
    async with connected(socket_of(server)) as plugin:
        plugin.transport.abort()
        await pod.run_ready()


@pytest.mark.parametrize(
    "method",
    ["Configure", "Synchronize", "CreateContainer", "PostCreateContainer", "StartContainer", "StopContainer"],
)
async def test_one_whose_answer_cannot_be_read_is_dropped(server: Podwright, pod: CasePod, method: str) -> None:
    garbage = ScriptedPlugin(answers={method: b"\xff" * 64})
    async with connected(socket_of(server), plugin=garbage, synchronized=False) as plugin:
        await plugin.hears("Configure" if method == "Configure" else "Synchronize")
        container = await pod.run_ready()
        await pod.stop(container, timeout=0)
        async with asyncio.timeout(PATIENCE_S):
            await plugin.ended.wait()
    assert method in plugin.heard()
    await pod.run_ready()


@pytest.mark.parametrize(
    ("linux", "words"),
    [
        ({"io_priority": pb.LinuxIOPriority(kind=99)}, "IOPrioClass 99"),  # type: ignore[arg-type] # as on the wire
        ({"scheduler": pb.LinuxScheduler(policy=99)}, "LinuxSchedulerPolicy 99"),  # type: ignore[arg-type]
        ({"memory_policy": pb.LinuxMemoryPolicy(mode=99)}, "MpolMode 99"),  # type: ignore[arg-type]
        ({"cgroups_path": "../elsewhere"}, "not an absolute path"),
        ({"resources": pb.LinuxResources(blockio_class=pb.OptionalString(value="none"))}, "none"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
async def test_an_adjustment_without_a_meaning_is_refused(
    server: Podwright, pod: CasePod, linux: dict[str, Any], words: str
) -> None:
    wanted = creating(linux=pb.LinuxContainerAdjustment(**linux))
    async with connected(socket_of(server), plugin=ScriptedPlugin(answers=wanted)):
        with pytest.raises(PodwrightError, match=words) as refused:
            await pod.start(await pod.create())
        assert not isinstance(refused.value, Internal)
    await pod.run_ready()


async def test_registration_is_checked(server: Podwright) -> None:
    for name, index in (("", "10"), ("x", "1"), ("x", "abc")):
        with pytest.raises(PodwrightError, match="two digits"):
            async with connected(socket_of(server), name=name, index=index):
                pass


async def test_one_that_does_not_register_is_dropped(fresh_podwright: FreshPodwright) -> None:
    server = fresh_podwright({"nri": {**PATIENT, "plugin_registration_timeout_s": 0.2}})
    silent = ScriptedPlugin()
    await asyncio.get_running_loop().create_unix_connection(lambda: silent, str(socket_of(server)))
    async with asyncio.timeout(patient(60)):
        await silent.ended.wait()


async def test_all_that_is_there_is_told_once(server: Podwright, pod: CasePod) -> None:
    """Plug-ins that come while containers do: each is in the synchronisation, or created afterwards, never both."""

    async def come() -> ScriptedPlugin:
        plugin = ScriptedPlugin()
        async with connected(socket_of(server), plugin=plugin):
            await made
        return plugin

    made = asyncio.ensure_future(asyncio.gather(*(pod.create(name=f"n{number}") for number in range(6))))
    plugins = await asyncio.gather(*(come() for _ in range(4)))
    for plugin in plugins:
        told = [one.id for name, request in plugin.asked if name == "Synchronize" for one in request.containers]  # type: ignore[attr-defined]
        created = [container_of(request).id for name, request in plugin.asked if name == "PostCreateContainer"]
        assert sorted(told + created) == sorted(made.result())


async def test_containers_are_updated_unasked(server: Podwright, pod: CasePod) -> None:
    container = await pod.run_ready()
    limits = pb.LinuxResources(cpu=pb.LinuxCPU(shares=pb.OptionalUInt64(value=333)))
    nonsense = pb.LinuxResources(cpu=pb.LinuxCPU(quota=pb.OptionalInt64(value=1)))
    async with connected(socket_of(server)) as plugin:
        request = pb.UpdateContainersRequest(
            update=[
                pb.ContainerUpdate(container_id=container, linux=pb.LinuxContainerUpdate(resources=limits)),
                pb.ContainerUpdate(container_id="0" * 64, linux=pb.LinuxContainerUpdate(resources=limits)),
            ]
        )
        answer = pb.UpdateContainersResponse.FromString(await plugin.call("UpdateContainers", request))
        assert not answer.failed
        bad = pb.ContainerUpdate(container_id=container, linux=pb.LinuxContainerUpdate(resources=nonsense))
        request = pb.UpdateContainersRequest(update=[bad])
        answer = pb.UpdateContainersResponse.FromString(await plugin.call("UpdateContainers", request))
        assert [one.container_id for one in answer.failed] == [container]
        assert "UpdateContainer" not in plugin.heard()
    status = await pod.cri.call(pod.cri.runtime.ContainerStatus, api.ContainerStatusRequest(container_id=container))
    assert status.status.resources.linux.cpu_shares == 333


@pytest.mark.skipif("PODWRIGHT_NRI_PLUGINS" not in os.environ, reason="set it to a folder with NRI's own plug-ins")
async def test_the_public_plugins(fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path) -> None:
    """Started with the daemon: logger, ulimit-adjuster and device-injector of NRI's repository."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    for index, name in (("00", "logger"), ("10", "ulimit-adjuster"), ("20", "device-injector"), ("30", "template")):
        (folder / f"{index}-{name}").symlink_to(Path(os.environ["PODWRIGHT_NRI_PLUGINS"]) / name)
    (folder / "90-broken").write_text("no program")
    (folder / "90-broken").chmod(0o755)
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "logger.conf").write_text(f"logFile: {tmp_path}/log\nevents: [all]\n")
    server = fresh_podwright({"nri": {"plugin_path": folder, "plugin_config_path": conf}})
    annotations = {
        "ulimits.noderesource.dev/container.c0": "[{type: RLIMIT_NOFILE, hard: 71, soft: 61}]",
        "devices.noderesource.dev/container.c0": "[{path: /dev/given, type: c, major: 1, minor: 3}]",
    }
    async with (
        server.client() as client,
        running_pod(server.peer(client), busybox_image, annotations=annotations) as pod,
    ):
        container = await pod.run_ready()
        script = "ulimit -Sn; ulimit -Hn; ls /dev/given"
        assert (await pod.exec(container, "sh", "-c", script)).stdout.split() == [b"61", b"71", b"/dev/given"]
    said = (tmp_path / "log").read_text()
    for event in ("RunPodSandbox", "CreateContainer", "PostStartContainer", "StopPodSandbox", "RemovePodSandbox"):
        assert event in said
