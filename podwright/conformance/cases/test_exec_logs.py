"""ExecSync, and the log files."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from pathlib import Path

import pytest

from podwright.conformance.pods import Pod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, PodwrightError

LINE = re.compile(r"(\S+) (stdout|stderr) ([FP]) (.*)")


async def test_output_and_exit_code(pod: Pod) -> None:
    container_id = await pod.run()
    answer = await pod.exec(container_id, "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (answer.stdout, answer.stderr, answer.exit_code) == (b"out\n", b"err\n", 5)


async def test_signals_count_from_128(pod: Pod) -> None:
    container_id = await pod.run()
    assert (await pod.exec(container_id, "sh", "-c", "kill -9 $$")).exit_code == 137


async def test_the_commands_environment_is_the_containers(pod: Pod) -> None:
    container_id = await pod.run(envs=[api.KeyValue(key="A", value=b"b")], working_dir="/tmp")
    assert (await pod.exec(container_id, "sh", "-c", "echo $A; pwd")).stdout == b"b\n/tmp\n"


async def test_large_output_is_whole(pod: Pod) -> None:
    container_id = await pod.run()
    answer = await pod.exec(container_id, "sh", "-c", "yes | head -c 5000000")
    assert len(answer.stdout) == 5_000_000


@pytest.mark.deviates("containerd", "1.6 sends all of it, and its own client then refuses the message")
async def test_output_is_capped(pod: Pod) -> None:
    container_id = await pod.run()
    answer = await pod.exec(container_id, "sh", "-c", "yes | head -c 20000000")
    assert len(answer.stdout) == 16 * 1024 * 1024


@pytest.mark.parametrize(
    "script",
    [
        "sleep 4321",
        pytest.param(
            "sleep 4322 & sleep 4321",
            marks=pytest.mark.deviates("containerd", "waits for a child that holds the pipes, whatever the timeout"),
        ),
    ],
    ids=["alone", "with-child"],
)
async def test_timeout_kills_the_command_and_its_children(pod: Pod, script: str) -> None:
    container_id = await pod.run()
    with pytest.raises(DeadlineExceeded):
        await pod.exec(container_id, "sh", "-c", script, timeout=1)
    for _ in range(100):
        seen = await pod.exec(container_id, "sh", "-c", "cat /proc/[0-9]*/comm")
        if seen.stdout.split().count(b"sleep") <= 1:  # the container's own naps
            return
        await asyncio.sleep(0.05)
    raise AssertionError("children of the command live on")


async def test_a_command_that_is_not_there(pod: Pod) -> None:
    container_id = await pod.run()
    with pytest.raises(PodwrightError, match="no-such-program"):
        await pod.exec(container_id, "no-such-program")


@pytest.mark.deviates("containerd", "answers UNKNOWN")
async def test_refusals(pod: Pod) -> None:
    created = await pod.create()
    container_id = await pod.run()
    with pytest.raises(InvalidArgument):
        await pod.exec(container_id)
    with pytest.raises(FailedPrecondition):
        await pod.exec(created, "true")
    await pod.stop(container_id, timeout=0)
    with pytest.raises(FailedPrecondition):
        await pod.exec(container_id, "true")


async def test_log_lines(pod: Pod) -> None:
    script = "echo one; sleep 0.05; echo two >&2; sleep 0.05; echo; printf unfinished"
    container_id = await pod.run(("sh", "-c", script))
    status = await pod.exited(container_id)
    lines = [LINE.fullmatch(line) for line in pod.log(container_id).splitlines()]
    assert all(lines)
    found = [line.groups()[1:] for line in lines if line]
    assert found[:3] == [("stdout", "F", "one"), ("stderr", "F", "two"), ("stdout", "F", "")]
    assert found[3][0] == "stdout"
    assert found[3][2] == "unfinished"
    for line in lines:
        assert line
        datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", line[1]))
    assert status.finished_at > 0


async def test_long_lines_come_in_parts(pod: Pod) -> None:
    container_id = await pod.run(("sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x; echo; echo end"))
    await pod.exited(container_id)
    parts = [LINE.fullmatch(line) for line in pod.log(container_id).splitlines()]
    joined = ""
    lines = []
    for part in parts:
        assert part
        joined += part[4]
        if part[3] == "F":
            lines.append(joined)
            joined = ""
    assert lines == ["x" * 40000, "end"]
    assert len(parts) > 2


async def test_a_rotated_log_is_opened_anew(pod: Pod) -> None:
    container_id = await pod.run(("sh", "-c", "n=0; while :; do echo $n; n=$((n+1)); sleep 0.005; done"))
    while not pod.log(container_id):  # noqa: ASYNC110 # a log file tells nobody
        await asyncio.sleep(0.02)
    path = Path(pod.config.log_directory) / "c0.log"
    old = path.with_name("old.log")
    path.rename(old)
    request = api.ReopenContainerLogRequest(container_id=container_id)
    await pod.cri.call(pod.cri.runtime.ReopenContainerLog, request)
    assert path.exists()
    size = old.stat().st_size
    await asyncio.sleep(0.3)
    assert old.stat().st_size == size
    await pod.stop(container_id, timeout=0)
    numbers = [int(line.split()[-1]) for line in (old.read_text() + path.read_text()).splitlines()]
    assert numbers == list(range(len(numbers)))
    with pytest.raises(PodwrightError):
        await pod.cri.call(pod.cri.runtime.ReopenContainerLog, request)


async def test_a_terminal_merges_the_streams(pod: Pod) -> None:
    container_id = await pod.run(("sh", "-c", "test -t 1 && echo out; echo err >&2"), tty=True)
    await pod.exited(container_id)
    lines = [LINE.fullmatch(line) for line in pod.log(container_id).replace("\r", "").splitlines()]
    assert [(line[2], line[4]) for line in lines if line] == [("stdout", "out"), ("stdout", "err")]


async def test_no_log_path_throws_the_output_away(pod: Pod) -> None:
    config = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="silent"),
        image=api.ImageSpec(image=pod.image),
        command=["sh", "-c", "yes | head -c 1000000"],
    )
    container_id = await pod.create_from(config)
    await pod.start(container_id)
    assert (await pod.exited(container_id)).exit_code == 0
    assert not list(Path(pod.config.log_directory).iterdir())
