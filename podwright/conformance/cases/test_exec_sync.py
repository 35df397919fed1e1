"""ExecSync."""

from __future__ import annotations

import asyncio

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, PodwrightError


async def test_output_and_exit_code(pod: CasePod) -> None:
    container_id = await pod.run()
    answer = await pod.exec(container_id, "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (answer.stdout, answer.stderr, answer.exit_code) == (b"out\n", b"err\n", 5)


async def test_signals_count_from_128(pod: CasePod) -> None:
    container_id = await pod.run()
    assert (await pod.exec(container_id, "sh", "-c", "kill -9 $$")).exit_code == 137


async def test_the_commands_environment_is_the_containers(pod: CasePod) -> None:
    container_id = await pod.run(envs=[api.KeyValue(key="A", value=b"b")], working_dir="/tmp")
    assert (await pod.exec(container_id, "sh", "-c", "echo $A; pwd")).stdout == b"b\n/tmp\n"


@pytest.mark.parametrize("score", [0, 700])
async def test_the_command_has_what_the_container_was_given(cri_server: CriPeer, run_pod: RunPod, score: int) -> None:
    """Its score for the OOM killer and its resource limits: otherwise a probe outlives what it looks at."""
    script = "for n in 1 self; do cat /proc/$n/oom_score_adj /proc/$n/limits; echo --; done; umask"
    for handler in await cri_server.handlers():
        async with run_pod(runtime_handler=handler) as pod:
            linux = api.LinuxContainerConfig(resources=api.LinuxContainerResources(oom_score_adj=score))
            container_id = await pod.run(linux=linux)
            answer = (await pod.exec(container_id, "sh", "-c", script)).stdout.decode()
            first, command, umask = answer.split("--\n")
            assert first.startswith(f"{score}\n"), handler
            assert command == first, handler
            assert umask == "0022\n", handler


@pytest.mark.deviates("cri-o", "its input stays open")
async def test_the_command_has_no_input_and_no_terminal(pod: CasePod) -> None:
    """Also in a container that has both."""
    container_id = await pod.run(stdin=True, tty=True)
    answer = await pod.exec(container_id, "sh", "-c", "cat; test -t 0 || test -t 1 || echo none; echo err >&2")
    assert (answer.stdout, answer.stderr) == (b"none\n", b"err\n")


@pytest.mark.deviates("cri-o", "with conmon 2.1.6 its end is lost")
async def test_large_output_is_whole(pod: CasePod) -> None:
    container_id = await pod.run()
    answer = await pod.exec(container_id, "sh", "-c", "yes | head -c 5000000")
    assert len(answer.stdout) == 5_000_000


@pytest.mark.deviates("cri-o", "as above")
@pytest.mark.deviates("containerd", "1.6 sends all of it, and its own client then refuses the message")
async def test_output_is_capped(pod: CasePod) -> None:
    container_id = await pod.run()
    answer = await pod.exec(container_id, "sh", "-c", "yes | head -c 20000000")
    assert len(answer.stdout) == 16 * 1024 * 1024


ANSWER_S = patient(60.0)  # ten times the command's own deadline


@pytest.mark.deviates("cri-o", "answers with exit code -1")
@pytest.mark.parametrize(
    "script",
    [
        "sleep 4321",
        pytest.param(
            "sleep 4322 & sleep 4321",
            marks=pytest.mark.deviates("containerd", "waits for a child that holds the pipes", run=False),
        ),
    ],
    ids=["alone", "with-child"],
)
async def test_timeout_kills_the_command_and_its_children(pod: CasePod, script: str) -> None:
    container_id = await pod.run()
    request = api.ExecSyncRequest(container_id=container_id, cmd=("sh", "-c", script), timeout=1)
    with pytest.raises(DeadlineExceeded) as late:
        await pod.cri.call(pod.cri.runtime.ExecSync, request, timeout_s=ANSWER_S)
    assert "no answer in time" not in str(late.value)  # our client's words, when it is the call's deadline that passed
    for _ in range(100):
        seen = await pod.exec(container_id, "sh", "-c", "cat /proc/[0-9]*/comm")
        if seen.stdout.split().count(b"sleep") <= 1:  # the container's own naps
            return
        await asyncio.sleep(0.05)
    raise AssertionError("children of the command live on")


async def test_a_command_that_is_not_there(pod: CasePod) -> None:
    container_id = await pod.run()
    with pytest.raises(PodwrightError, match="no-such-program"):
        await pod.exec(container_id, "no-such-program")


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "answers UNKNOWN")
async def test_refusals(pod: CasePod) -> None:
    created = await pod.create()
    container_id = await pod.run()
    with pytest.raises(InvalidArgument):
        await pod.exec(container_id)
    with pytest.raises(FailedPrecondition):
        await pod.exec(created, "true")
    await pod.stop(container_id, timeout=0)
    with pytest.raises(FailedPrecondition):
        await pod.exec(container_id, "true")
