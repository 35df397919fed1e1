"""Containers: life, lists, exit codes and reasons, mounts."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import DEAF, SLEEP, CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, PodwrightError

MIB = 1024 * 1024


async def _listed(pod: CasePod, **wanted: object) -> list[str]:
    request = api.ListContainersRequest(filter=api.ContainerFilter(**wanted))  # type: ignore[arg-type] # keywords
    return [item.id for item in (await pod.cri.call(pod.cri.runtime.ListContainers, request)).containers]


async def test_life_of_a_container(pod: CasePod) -> None:
    container_id = await pod.create(SLEEP, labels={"a": "b"}, annotations={"c": "d"})
    created = await pod.status(container_id)
    assert created.state == api.CONTAINER_CREATED
    assert created.created_at > 0
    assert created.started_at == created.finished_at == 0
    assert created.image.image
    assert created.image_ref
    assert dict(created.labels) == {"a": "b"}
    assert dict(created.annotations) == {"c": "d"}
    assert created.log_path == f"{pod.config.log_directory}/c0.log"
    await pod.start(container_id)
    running = await pod.status(container_id)
    assert running.state == api.CONTAINER_RUNNING
    assert running.started_at >= created.created_at
    assert running.finished_at == 0
    while "ready" not in pod.log(container_id):  # noqa: ASYNC110 # a log file tells nobody
        await asyncio.sleep(0.02)
    await pod.stop(container_id)
    exited = await pod.status(container_id)
    assert exited.state == api.CONTAINER_EXITED
    assert exited.finished_at >= running.started_at
    assert (exited.exit_code, exited.reason) == (0, "Completed")
    for _ in range(2):
        await pod.cri.call(pod.cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=container_id))
    with pytest.raises(NotFound):
        await pod.status(container_id)
    assert Path(created.log_path).exists()


async def test_lists_filter(pod: CasePod) -> None:
    created = await pod.create(labels={"k": "v"})
    running = await pod.run()
    state = api.ContainerStateValue(state=api.CONTAINER_RUNNING)
    assert await _listed(pod, pod_sandbox_id=pod.id, state=state) == [running]
    assert await _listed(pod, pod_sandbox_id=pod.id, label_selector={"k": "v"}) == [created]
    assert await _listed(pod, id=created) == [created]
    assert await _listed(pod, id=created[:20]) == [created]
    assert await _listed(pod, id="0" * 64) == []
    assert set(await _listed(pod, pod_sandbox_id=pod.id)) == {created, running}


@pytest.mark.deviates("containerd", "1.6 answers NOT_FOUND")
async def test_stopping_what_is_not_there_is_a_success(cri_server: CriPeer) -> None:
    cri = cri_server.client
    await cri.call(cri.runtime.StopContainer, api.StopContainerRequest(container_id="f" * 64))


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
async def test_unknown_container(cri_server: CriPeer) -> None:
    cri = cri_server.client
    unknown = "f" * 64
    await cri.call(cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=unknown))
    with pytest.raises(NotFound):
        await cri.call(cri.runtime.ContainerStatus, api.ContainerStatusRequest(container_id=unknown))
    with pytest.raises(NotFound):
        await cri.call(cri.runtime.StartContainer, api.StartContainerRequest(container_id=unknown))
    with pytest.raises(NotFound):
        await cri.call(cri.runtime.ExecSync, api.ExecSyncRequest(container_id=unknown, cmd=["true"]))
    with pytest.raises(NotFound):
        await cri.call(cri.runtime.ReopenContainerLog, api.ReopenContainerLogRequest(container_id=unknown))


@pytest.mark.deviates("cri-o", "the process that holds a shared PID namespace needs CAP_SYS_RESOURCE")
@pytest.mark.parametrize(
    ("script", "code", "reason"),
    [("exit 0", 0, "Completed"), ("exit 7", 7, "Error"), ("kill -9 $$", 137, "Error"), ("kill -15 $$", 143, "Error")],
)
async def test_exit_codes(run_pod: RunPod, script: str, code: int, reason: str) -> None:
    # A shared PID namespace, since the first process of its own one does not take its own signals.
    namespaces = api.NamespaceOption(pid=api.POD)
    linux = api.LinuxContainerConfig(security_context=api.LinuxContainerSecurityContext(namespace_options=namespaces))
    async with run_pod(namespaces=namespaces) as pod:
        status = await pod.exited(await pod.run(("sh", "-c", script), linux=linux))
        assert (status.exit_code, status.reason) == (code, reason)


@pytest.mark.deviates("cri-o", "cannot create it")
async def test_missing_program(pod: CasePod) -> None:
    container_id = await pod.create(("/no/such/program",))
    with pytest.raises(PodwrightError, match="no/such/program"):
        await pod.start(container_id)
    status = await pod.status(container_id)
    assert status.state == api.CONTAINER_EXITED
    assert (status.exit_code, status.reason) == (128, "StartError")
    assert "no/such/program" in status.message


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "answers UNKNOWN")
@pytest.mark.parametrize("command", [SLEEP, ("true",)], ids=["running", "exited"])
async def test_a_container_starts_once(pod: CasePod, command: tuple[str, ...]) -> None:
    container_id = await pod.run(command)
    if command != SLEEP:
        await pod.exited(container_id)
    with pytest.raises(FailedPrecondition):
        await pod.start(container_id)


async def test_stop_is_quick_when_the_signal_is_heard_and_bounded_when_not(pod: CasePod) -> None:
    heard = await pod.run_ready()
    deaf = await pod.run_ready(DEAF)
    await pod.stop(heard, timeout=600)  # longer than the request's own deadline
    assert (await pod.status(heard)).exit_code == 0
    await pod.stop(deaf, timeout=1)
    assert (await pod.status(deaf)).exit_code == 137
    await pod.stop(deaf, timeout=1)


@pytest.mark.deviates("containerd", "the first call's grace stands", run=False)
async def test_a_shorter_stop_overtakes_a_longer_one(pod: CasePod) -> None:
    deaf = await pod.run_ready(DEAF)
    long = asyncio.create_task(pod.stop(deaf, timeout=100), name="slow stop")
    await asyncio.sleep(0.2)
    await asyncio.wait_for(pod.stop(deaf, timeout=0), patient(60))
    await asyncio.wait_for(long, patient(60))
    assert (await pod.status(deaf)).exit_code == 137


@pytest.mark.deviates("cri-o", "does not tell the signal")
@pytest.mark.deviates("containerd", "1.6 came before the field")
async def test_the_images_stop_signal_and_the_requests(pod: CasePod) -> None:
    script = "trap 'exit 3' USR1; trap 'exit 4' TERM; echo ready; while :; do sleep 0.1; done"
    container_id = await pod.run_ready(("sh", "-c", script), stop_signal=api.SIGNAL_SIGUSR1)
    await pod.stop(container_id)
    status = await pod.status(container_id)
    assert status.exit_code == 3
    assert status.stop_signal == api.SIGNAL_SIGUSR1


async def test_removing_a_running_container_kills_it(pod: CasePod) -> None:
    container_id = await pod.run()
    await pod.cri.call(pod.cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=container_id))
    with pytest.raises(NotFound):
        await pod.status(container_id)


@pytest.mark.deviates("containerd", 'fails fast with "name is reserved" under UNKNOWN')
async def test_the_same_create_again(pod: CasePod) -> None:
    first = await pod.create(name="same")
    assert await pod.create(name="same") == first
    assert await pod.create(name="same", attempt=1) != first


def _user(**fields: object) -> dict[str, object]:
    context = api.LinuxContainerSecurityContext(**fields)  # type: ignore[arg-type] # keywords
    return {"linux": api.LinuxContainerConfig(security_context=context)}


@pytest.mark.deviates("cri-o", "answers UNKNOWN, or leaves it to the OCI runtime")
@pytest.mark.deviates("containerd", "answers UNKNOWN, or leaves it to the OCI runtime")
@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": None},
        {"image": None},
        {"working_dir": "relative"},
        _user(run_as_group=api.Int64Value(value=5)),
        _user(run_as_username="ghost"),
        _user(run_as_user=api.Int64Value(value=2**31)),
        {"stop_signal": 999},
    ],
    ids=["metadata", "image", "working-dir", "group-alone", "unknown-user", "uid-too-large", "stop-signal"],
)
async def test_create_refusals(pod: CasePod, fields: dict[str, object]) -> None:
    given = {
        "metadata": api.ContainerMetadata(name="x"),
        "image": pod.image_spec,
        "command": ["x"],
        **fields,
    }
    with pytest.raises(InvalidArgument):
        await pod.create_from(api.ContainerConfig(**given))  # type: ignore[arg-type] # keywords
    assert await _listed(pod, pod_sandbox_id=pod.id) == []


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
async def test_create_without_image_or_sandbox(pod: CasePod) -> None:
    with pytest.raises(NotFound):
        await pod.create(image=api.ImageSpec(image="localhost:1/absent:1"))
    pod.id, real = "f" * 64, pod.id
    try:
        with pytest.raises(NotFound):
            await pod.create()
    finally:
        pod.id = real


async def test_create_in_a_stopped_sandbox(pod: CasePod) -> None:
    await pod.cri.call(pod.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
    with pytest.raises(PodwrightError):
        await pod.create()


@pytest.mark.deviates("cri-o", "the stop ends what was not started")
@pytest.mark.deviates("containerd", "answers UNKNOWN")
async def test_start_in_a_stopped_sandbox(pod: CasePod) -> None:
    container_id = await pod.create()
    await pod.stop(container_id)  # nothing to stop yet
    assert (await pod.status(container_id)).state == api.CONTAINER_CREATED
    await pod.cri.call(pod.cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=pod.id))
    with pytest.raises(FailedPrecondition):
        await pod.start(container_id)


async def test_command_args_environment_and_directory(pod: CasePod) -> None:
    envs = [api.KeyValue(key="A", value=b"one two"), api.KeyValue(key="A", value=b"last"), api.KeyValue(key="E")]
    out = await pod.output(
        "sh", "-c", "echo $A; echo [$E]; pwd; echo $0 $1", args=["zero", "one"], envs=envs, working_dir="/tmp"
    )
    assert out.splitlines() == ["last", "[]", "/tmp", "zero one"]


async def test_what_every_process_finds_in_its_environment(pod: CasePod) -> None:
    out = await pod.output("sh", "-c", "echo $PATH; echo $HOSTNAME; hostname; echo $HOME")
    path, name, hostname, home = out.splitlines()
    assert "/usr/bin" in path.split(":")
    assert name == hostname
    assert home == "/root"
    assert (await pod.output("sh", "-c", "echo $TERM", tty=True)).strip() == "xterm"


@pytest.mark.deviates("cri-o", "list and status differ in the time of creation")
@pytest.mark.parametrize("attempt", [0, 3])
async def test_metadata_and_times_are_told(pod: CasePod, attempt: int) -> None:
    container_id = await pod.create(name="main", attempt=attempt)
    status = await pod.status(container_id)
    assert (status.metadata.name, status.metadata.attempt) == ("main", attempt)
    request = api.ListContainersRequest(filter=api.ContainerFilter(id=container_id))
    [item] = (await pod.cri.call(pod.cri.runtime.ListContainers, request)).containers
    assert item.metadata == status.metadata
    assert item.created_at == status.created_at
    assert item.pod_sandbox_id == pod.id
    assert item.state == status.state == api.CONTAINER_CREATED


async def test_a_working_directory_that_is_missing_is_made(pod: CasePod) -> None:
    assert await pod.output("pwd", working_dir="/made/for/me") == "/made/for/me\n"


@pytest.mark.deviates("cri-o", "tells where a link leads")
async def test_mounts_are_made_and_told(pod: CasePod, tmp_path: Path) -> None:
    (tmp_path / "rw").mkdir()
    (tmp_path / "ro").mkdir()
    (tmp_path / "ro" / "file").write_text("read me")
    (tmp_path / "link").symlink_to(tmp_path / "ro")
    mounts = [
        api.Mount(container_path="/rw", host_path=str(tmp_path / "rw")),
        api.Mount(container_path="/ro", host_path=str(tmp_path / "link"), readonly=True),
        api.Mount(container_path="/made", host_path=str(tmp_path / "made" / "deep")),
        api.Mount(container_path="/file", host_path=str(tmp_path / "ro" / "file"), readonly=True),
    ]
    script = "echo out > /rw/out; cat /ro/file /file; touch /ro/x 2>/dev/null || echo no; ls -d /made"
    container_id = await pod.run(("sh", "-c", script), mounts=mounts)
    status = await pod.exited(container_id)
    assert pod.text(container_id) == "read meread meno\n/made\n"
    assert (tmp_path / "rw" / "out").read_text() == "out\n"
    assert (tmp_path / "made" / "deep").is_dir()
    told = {mount.container_path: mount for mount in status.mounts}
    assert set(told) == {"/rw", "/ro", "/made", "/file"}
    assert told["/ro"].readonly
    assert told["/ro"].host_path == str(tmp_path / "link")


async def test_a_devices_node_and_right(pod: CasePod) -> None:
    device = api.Device(container_path="/dev/mine", host_path="/dev/null", permissions="rwm")
    out = await pod.output("sh", "-c", "ls -l /dev/mine; echo x > /dev/mine && echo ok", devices=[device])
    assert out.startswith("crw")
    assert out.endswith("ok\n")


async def test_files_written_by_a_container_stay_its_own(pod: CasePod) -> None:
    first = await pod.run_ready(("sh", "-c", "echo mine > /etc/own; rm /etc/group; echo ready; sleep 1000"))
    assert (await pod.exec(first, "cat", "/etc/own")).stdout == b"mine\n"
    assert await pod.output("sh", "-c", "ls /etc/own 2>/dev/null; ls /etc/group") == "/etc/group\n"


@pytest.mark.deviates("cri-o", "trusts the kubelet")
@pytest.mark.deviates("containerd", "trusts the kubelet")
async def test_a_relative_path_of_the_log_may_not_leave(pod: CasePod) -> None:
    config = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="x"),
        image=pod.image_spec,
        command=["true"],
        log_path="../../escape.log",
    )
    with pytest.raises(InvalidArgument, match="log_path"):
        await pod.create_from(config)
    assert not os.path.exists(f"{pod.config.log_directory}/../../escape.log")
