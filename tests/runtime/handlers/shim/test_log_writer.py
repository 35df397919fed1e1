"""The log writer: records that crilog reads again, and the program with real fifos."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from podwright.conformance.patience import patient
from podwright.errors import FailedPrecondition
from podwright.process import PosixProcessRunner
from podwright.runtime.handlers.shim import logs
from podwright.runtime.handlers.shim.log_writer.records import LINE_LIMIT_BYTES, records
from podwright.runtime.handlers.shim.logs import LogWriterProcess

PATIENCE_S = patient(60.0)
NOW_NS = 1_700_000_000_123_456_789
FLOOD = b"x" * 1000 + b"\n"


def _joined(log: bytes) -> bytes:
    """The output that a log is of."""
    output = b""
    for line in log.split(b"\n")[:-1]:
        stamp, stream, tag, content = line.split(b" ", 3)
        assert (stamp, stream) == (b"2023-11-14T22:13:20.123456789Z", b"stdout")
        output += content + (b"\n" if tag == b"F" else b"")
    return output


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=10))
def test_output_in_any_pieces_is_what_the_log_says(pieces: list[bytes]) -> None:
    assert _joined(b"".join(records("stdout", piece, NOW_NS) for piece in pieces)) == b"".join(pieces)


@pytest.mark.parametrize("size", [LINE_LIMIT_BYTES - 1, LINE_LIMIT_BYTES, LINE_LIMIT_BYTES + 1, 65536])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_long_lines_come_in_parts(size: int, end: bytes) -> None:
    log = records("stdout", b"x" * size + end, NOW_NS)
    assert _joined(log) == b"x" * size + end
    assert max(map(len, log.split(b"\n"))) <= LINE_LIMIT_BYTES + 50


@pytest_asyncio.fixture
async def writer(tmp_path: Path) -> AsyncIterator[LogWriterProcess]:
    made = LogWriterProcess(PosixProcessRunner(), str(tmp_path))
    yield made
    for name in ("one", "two"):
        await made.close_streams(name)
    await made.close()


def _fifo(tmp_path: Path, name: str) -> str:
    path = str(tmp_path / name)
    os.mkfifo(path)
    return path


def _lines(path: Path) -> list[bytes]:
    return [line.split(b" ", 3)[3] for line in path.read_bytes().splitlines()]


async def _write(path: str, data: bytes) -> None:
    def write() -> None:
        with open(path, "wb") as file:
            file.write(data)

    async with asyncio.timeout(PATIENCE_S):
        await asyncio.to_thread(write)


async def test_output_is_in_the_log_when_the_streams_have_ended(writer: LogWriterProcess, tmp_path: Path) -> None:
    out, err = _fifo(tmp_path, "out"), _fifo(tmp_path, "err")
    await writer.open("one", str(tmp_path / "log"), {"stdout": out, "stderr": err})
    await asyncio.gather(_write(out, b"hello\n"), _write(err, b"oops"))
    assert await writer.drained("one", PATIENCE_S)
    assert sorted(_lines(tmp_path / "log")) == [b"hello", b"oops"]


async def test_a_log_that_was_moved_is_opened_anew(writer: LogWriterProcess, tmp_path: Path) -> None:
    fifo = _fifo(tmp_path, "out")
    await writer.open("one", str(tmp_path / "log"), {"stdout": fifo})
    await writer.reopen("one")
    holder = os.open(fifo, os.O_WRONLY)
    os.write(holder, b"first\n")
    while not (tmp_path / "log").read_bytes():  # noqa: ASYNC110 # a file tells nobody
        await asyncio.sleep(0.01)
    os.rename(tmp_path / "log", tmp_path / "old")
    await writer.reopen("one")
    os.write(holder, b"second\n")
    os.close(holder)
    assert await writer.drained("one", PATIENCE_S)
    assert (_lines(tmp_path / "old"), _lines(tmp_path / "log")) == ([b"first"], [b"second"])


async def test_who_is_attached_gets_a_copy(writer: LogWriterProcess, tmp_path: Path) -> None:
    fifo = _fifo(tmp_path, "out")
    await writer.open("one", str(tmp_path / "log"), {"stdout": fifo})
    connection = await writer.attach("one")
    await _write(fifo, b"copied\n")
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_S):
        assert await loop.sock_recv(connection, 100) == b"\1copied\n"
        assert await loop.sock_recv(connection, 100) == b""
    connection.close()


async def test_a_client_that_does_not_read_stops_its_container_for_a_moment_only(
    writer: LogWriterProcess, tmp_path: Path
) -> None:
    slow, other = _fifo(tmp_path, "slow"), _fifo(tmp_path, "other")
    await writer.open("one", str(tmp_path / "log1"), {"stdout": slow})
    await writer.open("two", str(tmp_path / "log2"), {"stdout": other})
    connection = await writer.attach("one")
    writing = asyncio.create_task(_write(slow, FLOOD * 5000))
    await _write(other, FLOOD * 100)
    assert await writer.drained("two", PATIENCE_S)
    await writing
    assert await writer.drained("one", PATIENCE_S)
    assert b"".join(_lines(tmp_path / "log1")) == (FLOOD * 5000).replace(b"\n", b"")
    connection.close()


async def test_many_at_once_have_one_writer(
    writer: LogWriterProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when more come than it has taken in."""
    monkeypatch.setattr(logs, "BACKLOG", 1)
    names = [f"c{number}" for number in range(200)]
    await asyncio.gather(*(writer.open(name, "", {"stdout": _fifo(tmp_path, name)}) for name in names))
    running = [name for name in os.listdir("/proc") if name.isdigit() and _is_writer(name, tmp_path)]
    assert len(running) == 1
    for name in names:
        await writer.close_streams(name)


def _is_writer(pid: str, folder: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return str(folder).encode() in words and any(word.endswith(b"log_writer/__main__.py") for word in words)


async def test_an_unknown_container_is_an_error(writer: LogWriterProcess, tmp_path: Path) -> None:
    await writer.open("one", "", {"stdout": _fifo(tmp_path, "out")})
    with pytest.raises(FailedPrecondition, match="nothing is known of 'two'"):
        await writer.reopen("two")
    with pytest.raises(FailedPrecondition, match="No such file"):
        await writer.open("two", "", {"stdout": "/no/such/fifo"})


async def test_a_writer_of_another_version_leaves(writer: LogWriterProcess, tmp_path: Path) -> None:
    fifo = _fifo(tmp_path, "out")
    old = LogWriterProcess(PosixProcessRunner(), str(tmp_path))
    old._name = "log-writer-old.sock"
    await old.open("one", str(tmp_path / "log"), {"stdout": fifo})
    holder = os.open(fifo, os.O_RDWR)  # as a shim does
    old._open.clear()
    await writer.adopt()
    os.write(holder, b"in between\n")
    await writer.open("one", str(tmp_path / "log"), {"stdout": fifo})
    os.close(holder)
    assert await writer.drained("one", PATIENCE_S)
    assert _lines(tmp_path / "log") == [b"in between"]
    await old.close()
