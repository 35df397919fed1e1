"""Log files: their lines, where they are made, and rotation."""

from __future__ import annotations

import asyncio
import re
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.pods import SLEEP, CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError

RECORD = re.compile(rb"(\S+) (stdout|stderr) ([FP]) (.*)", re.DOTALL)
PIECE_LIMIT_BYTES = 16384
COUNT = ("sh", "-c", "echo ready; i=0; while :; do echo $((i=i+1)); sleep 0.005; done")
COUNT_FAST = ("sh", "-c", "i=0; while :; do i=$((i+1)); seq $((i*1000)) $((i*1000+999)); done")
ROTATIONS = 20


class WrittenRecord(NamedTuple):
    """A line of a log file."""

    time: str
    stream: str
    full: bool
    content: bytes


def _records(data: bytes) -> Iterator[WrittenRecord]:
    """Every line of a log. Fails for an invalid one."""
    assert not data or data.endswith(b"\n")
    for line in data.split(b"\n")[:-1]:
        match = RECORD.fullmatch(line)
        assert match, line[:200]
        yield WrittenRecord(match[1].decode(), match[2].decode(), match[3] == b"F", match[4])


def _lines(data: bytes, stream: str = "stdout") -> list[bytes]:
    """The joined lines of a stream. An unfinished one comes last."""
    lines = [b""]
    for record in _records(data):
        if record.stream == stream:
            lines[-1] += record.content
            if record.full:
                lines.append(b"")
    return lines if lines[-1] else lines[:-1]


def _path(pod: CasePod, name: str = "c0") -> Path:
    return Path(pod.config.log_directory) / f"{name}.log"


async def _logged(pod: CasePod, script: str, **fields: object) -> bytes:
    """The log of a script that has ended."""
    await pod.exited(await pod.run(("sh", "-c", script), **fields))
    return _path(pod).read_bytes()


async def _written(path: Path) -> None:
    """Wait for a file that is not empty."""
    async with asyncio.timeout(patient(60)):
        while not path.exists() or not path.stat().st_size:  # noqa: ASYNC110 # a log file tells nobody
            await asyncio.sleep(0.005)


async def _reopen(pod: CasePod, container_id: str) -> None:
    request = api.ReopenContainerLogRequest(container_id=container_id)
    await pod.cri.call(pod.cri.runtime.ReopenContainerLog, request)


async def test_a_line_is_time_stream_tag_and_content(pod: CasePod) -> None:
    log = await _logged(pod, "echo one; sleep 0.5; echo two >&2; sleep 0.5; echo; echo ' three  '")
    records = list(_records(log))
    assert [record[1:] for record in records] == [
        ("stdout", True, b"one"),
        ("stderr", True, b"two"),
        ("stdout", True, b""),
        ("stdout", True, b" three  "),
    ]
    times = [datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", record.time)) for record in records]
    assert times == sorted(times)
    assert all(time.tzinfo for time in times)


async def test_a_last_line_without_newline_is_partial(pod: CasePod) -> None:
    records = list(_records(await _logged(pod, "echo whole; printf unfinished")))
    assert records[-1][1:] == ("stdout", False, b"unfinished")


async def test_long_lines_come_in_parts(pod: CasePod) -> None:
    log = await _logged(pod, "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end")
    assert _lines(log) == [b"x" * 100000, b"end"]
    assert max(len(record.content) for record in _records(log)) <= PIECE_LIMIT_BYTES


@pytest.mark.deviates("podwright-docker", "the Engine's log holds text: it replaces other bytes")
async def test_any_byte_may_be_logged(pod: CasePod) -> None:
    numbers = [number for number in range(256) if number not in b"\r\n"]
    script = "printf '" + "".join(f"\\{number:03o}" for number in numbers) + "\\n\\303\\244\\n'"
    assert _lines(await _logged(pod, script)) == [bytes(numbers), "ä".encode()]


async def test_lines_may_end_as_on_other_systems(pod: CasePod) -> None:
    lines = _lines(await _logged(pod, "printf 'one\\r\\ntwo\\r\\n\\r\\n'"))
    assert [line.removesuffix(b"\r") for line in lines] == [b"one", b"two", b""]  # the CR may be kept


@pytest.mark.deviates("containerd", "1.6 may tell of the end first")
async def test_the_log_is_complete_when_the_end_is_seen(pod: CasePod) -> None:
    log = await _logged(pod, "seq 1 50000; seq 1 50000 >&2")
    for stream in ("stdout", "stderr"):
        assert _lines(log, stream) == [b"%d" % number for number in range(1, 50001)]


async def test_a_terminal_merges_the_streams(pod: CasePod) -> None:
    log = await _logged(pod, "test -t 1 && echo out; echo err >&2", tty=True)
    assert [line.removesuffix(b"\r") for line in _lines(log)] == [b"out", b"err"]


@pytest.mark.deviates("cri-o", "keeps it in a directory of its own")
async def test_no_log_path_throws_the_output_away(pod: CasePod) -> None:
    config = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="silent"),
        image=pod.image_spec,
        command=["sh", "-c", "yes | head -c 1000000; sleep 1000"],
    )
    container_id = await pod.create_from(config)
    await pod.start(container_id)
    assert (await pod.status(container_id)).log_path == ""
    assert not list(Path(pod.config.log_directory).iterdir())


async def test_only_its_owner_and_group_read_a_log(pod: CasePod) -> None:
    await _logged(pod, "echo secret")
    assert stat.S_IMODE(_path(pod).stat().st_mode) & 0o137 == 0


@pytest.mark.deviates("cri-o", "leaves it to the kubelet")
async def test_the_start_makes_the_directory(pod: CasePod) -> None:
    container_id = await pod.create(COUNT)
    shutil.rmtree(pod.config.log_directory)
    await pod.start(container_id)
    await _written(_path(pod))


@pytest.mark.deviates("cri-o", "leaves the making of it to the kubelet")
async def test_a_log_in_a_directory_of_its_own(pod: CasePod) -> None:
    config = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="main"),
        image=pod.image_spec,
        command=["echo", "deep"],
        log_path="main/0.log",
    )
    container_id = await pod.create_from(config)
    await pod.start(container_id)
    status = await pod.exited(container_id)
    assert status.log_path == f"{pod.config.log_directory}/main/0.log"
    assert _lines(Path(status.log_path).read_bytes()) == [b"deep"]


@pytest.mark.deviates("containerd", "fails to start")
async def test_a_dangling_link_in_its_place(pod: CasePod) -> None:
    _path(pod).symlink_to("nowhere/at/all")
    assert _lines(await _logged(pod, "echo here")) == [b"here"]


@pytest.mark.deviates("cri-o", "writes where the link leads")
@pytest.mark.deviates("containerd", "writes where the link leads")
async def test_a_link_in_its_place_leads_nowhere(pod: CasePod, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    _path(pod).symlink_to(elsewhere)
    assert _lines(await _logged(pod, "echo here")) == [b"here"]
    assert elsewhere.read_text() == "untouched"


@pytest.mark.deviates("cri-o", "makes the log with the container")
async def test_a_directory_in_its_place(pod: CasePod) -> None:
    container_id = await pod.create(COUNT)
    _path(pod).mkdir(parents=True)
    with pytest.raises(PodwrightError, match=r"c0\.log"):
        await pod.start(container_id)


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "its own writer takes any name")
@pytest.mark.deviates("podwright-shim", "its log writer takes any name")
@pytest.mark.deviates("podwright-docker", "its log writer takes any name")
async def test_a_colon_in_the_path(pod: CasePod) -> None:
    config = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="x"),
        image=pod.image_spec,
        command=["true"],
        log_path="a:b.log",
    )
    with pytest.raises(InvalidArgument, match="colon"):
        await pod.create_from(config)


async def test_a_rotated_log_is_opened_anew(pod: CasePod) -> None:
    container_id = await pod.run_ready(COUNT)
    path = _path(pod)
    old = path.rename(path.with_name("old"))
    await _reopen(pod, container_id)
    assert path.exists()
    size = old.stat().st_size
    await _written(path)
    await asyncio.sleep(0.1)
    assert old.stat().st_size == size
    await pod.stop(container_id, timeout=0)
    lines = _lines(old.read_bytes() + path.read_bytes())[1:]
    assert lines == [b"%d" % number for number in range(1, len(lines) + 1)]


async def test_no_line_is_lost_in_rotations_under_load(pod: CasePod) -> None:
    container_id = await pod.run(COUNT_FAST)
    path = _path(pod)
    parts = []
    for number in range(ROTATIONS):
        await _written(path)
        parts.append(path.rename(path.with_name(f"part{number}")))
        await _reopen(pod, container_id)
    await pod.stop(container_id, timeout=0)
    lines = _lines(b"".join(part.read_bytes() for part in (*parts, path)))[
        :-1
    ]  # the last may have been cut by SIGKILL
    assert lines == [b"%d" % number for number in range(1000, 1000 + len(lines))]
    assert len(lines) > ROTATIONS


@pytest.mark.deviates("cri-o", "writes it anew")
async def test_a_log_that_nobody_moved_is_written_on(pod: CasePod) -> None:
    container_id = await pod.run_ready(COUNT)
    for _ in range(3):
        await _reopen(pod, container_id)
    await asyncio.sleep(0.1)
    await pod.stop(container_id, timeout=0)
    lines = _lines(_path(pod).read_bytes())
    assert lines == [b"ready", *(b"%d" % number for number in range(1, len(lines)))]


async def test_rotations_by_many_at_once(pod: CasePod) -> None:
    container_id = await pod.run_ready(COUNT)
    path = _path(pod)
    old = path.rename(path.with_name("old"))
    await asyncio.gather(*(_reopen(pod, container_id) for _ in range(10)))
    await _written(path)
    await pod.stop(container_id, timeout=0)
    lines = _lines(old.read_bytes() + path.read_bytes())[1:]
    assert lines == [b"%d" % number for number in range(1, len(lines) + 1)]


@pytest.mark.deviates("cri-o", "leaves it to the kubelet")
async def test_the_directory_vanished_before_a_rotation(pod: CasePod) -> None:
    container_id = await pod.run_ready(COUNT)
    shutil.rmtree(pod.config.log_directory)
    await _reopen(pod, container_id)
    await _written(_path(pod))
    assert (await pod.status(container_id)).state == api.CONTAINER_RUNNING


@pytest.mark.deviates("cri-o", "does not come back", run=False)
@pytest.mark.deviates("containerd", "answers UNKNOWN")
async def test_a_rotation_that_cannot_be(pod: CasePod) -> None:
    container_id = await pod.run_ready(COUNT)
    path = _path(pod)
    old = path.rename(path.with_name("old"))
    path.mkdir()
    with pytest.raises(FailedPrecondition):
        await _reopen(pod, container_id)
    size = old.stat().st_size
    async with asyncio.timeout(patient(60)):
        while old.stat().st_size == size:  # noqa: ASYNC110 # a log file tells nobody
            await asyncio.sleep(0.02)
    path.rmdir()
    await _reopen(pod, container_id)
    await _written(path)


@pytest.mark.deviates("cri-o", "answers UNKNOWN, or opens it")
@pytest.mark.deviates("containerd", "answers UNKNOWN")
@pytest.mark.parametrize("started", [False, True], ids=["created", "exited"])
async def test_only_a_running_containers_log_is_opened_anew(pod: CasePod, started: bool) -> None:
    container_id = await pod.create(("true",) if started else SLEEP)
    if started:
        await pod.start(container_id)
        await pod.exited(container_id)
        _path(pod).unlink()
    with pytest.raises(FailedPrecondition):
        await _reopen(pod, container_id)
    assert not _path(pod).exists()
