"""Copies of logs: nothing lost and nothing doubled, wherever the daemon is killed and whatever is rotated."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.runtime.engines.docker.logs import copying, position
from podwright.runtime.engines.docker.logs.copying import LogCopy
from podwright.runtime.engines.docker.logs.position import Position
from podwright.runtime.engines.docker.logs.records import converted

TIME = "2026-01-01T00:00:00.123456789Z"


def line(text: str, stream: str = "stdout") -> bytes:
    """As the Engine writes it."""
    return json.dumps({"log": text, "stream": stream, "time": TIME}).encode() + b"\n"


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (line("hello\n"), f"{TIME} stdout F hello\n"),
        (line("part of a line", "stderr"), f"{TIME} stderr P part of a line\n"),
        (line("\r\n"), f"{TIME} stdout F \r\n"),
        (line("ä😀\n"), f"{TIME} stdout F ä😀\n"),
        (line(f"x\n{TIME} stdout F forged\n"), f"{TIME} stdout F x {TIME} stdout F forged\n"),
        (b"\0\0\0" + line("after a hole\n"), f"{TIME} stdout F after a hole\n"),
        (b'{"log": "cut off', ""),
        (b"[]\n", ""),
    ],
)
def test_records(source: bytes, wanted: str) -> None:
    assert converted(source.rstrip(b"\n")).decode() == wanted


@given(*[st.integers(0, 2**63)] * 4)
def test_a_position_survives_its_file(source: int, inode: int, size: int, elsewhere: int) -> None:
    found = Position(source=source, inode=inode, size=size, elsewhere=elsewhere)
    assert position.parse(position.packed(found)) == found


@pytest.mark.parametrize(
    "data", [b"", b"1 2 3\n", b"x" * position.LENGTH, position.packed(Position(source=1, inode=2, size=3))[:-1]]
)
def test_a_broken_position_is_none(data: bytes) -> None:
    assert position.parse(data) is None


class World:
    """The files of one container, and the daemons that come and go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source, self.target = folder / "x-json.log", folder / "0.log"
        self.source.write_bytes(b"")
        self.count = 0
        self.rotations = 0
        self.copy = self.daemon()

    def daemon(self) -> LogCopy:
        return LogCopy(str(self.source), str(self.target), str(self.folder / "position"))

    def write(self, number: int) -> None:
        with self.source.open("ab") as file:
            for _ in range(number):
                file.write(line(f"line {self.count}\n"))
                self.count += 1

    def rotate(self) -> None:
        self.rotations += 1
        self.target.rename(self.folder / f"0.log.{self.rotations}")

    def lines(self) -> list[str]:
        """All that was written, the oldest file first."""
        files = [self.folder / f"0.log.{number}" for number in range(1, self.rotations + 1)] + [self.target]
        return [text for file in files if file.exists() for text in file.read_text().splitlines()]


class Killed(BaseException):
    """The daemon, at the worst moment."""


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["copy", "rotate and reopen", "kill after append", "kill within a record",
                                   "kill, then rotate"]), st.just(0)),
    ),
    max_size=25,
)  # fmt: skip


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "STEP_BYTES", 200)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_no_line_is_lost_or_doubled(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    world = World(tmp_path_factory.mktemp("log"))
    for what, number in steps:
        _do(world, what, number)
    while world.copy.step():
        pass
    world.copy.close()
    assert world.lines() == [f"{TIME} stdout F line {number}" for number in range(world.count)]


def _do(world: World, what: str, number: int) -> None:
    match what:
        case "write":
            world.write(number)
        case "copy":
            world.copy.step()
        case "rotate and reopen":
            world.rotate()
            world.copy.reopen()
        case _:
            _kill(world, what)


def _kill(world: World, what: str) -> None:
    """The daemon ends after it has appended, and before it has noted that; or within the append."""
    with pytest.MonkeyPatch.context() as patch:
        if what == "kill within a record":
            patch.setattr(copying, "_write_all", _half)
        patch.setattr(position.PositionFile, "write", _die)
        with contextlib.suppress(Killed):
            world.copy.step()
    world.copy.close()
    if what == "kill, then rotate":
        world.rotate()
    world.copy = world.daemon()


def _half(fd: int, data: bytes) -> None:
    os.write(fd, data[: len(data) // 2])
    raise Killed


def _die(_: object, __: object) -> None:
    raise Killed


def test_a_log_that_somebody_cut_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write(3)
    while world.copy.step():
        pass
    os.truncate(world.target, 0)
    world.write(1)
    assert world.copy.step()
    world.copy.close()
    assert world.lines() == [f"{TIME} stdout F line 3"]


def test_a_record_that_is_longer_than_a_step(tmp_path: Path) -> None:
    world = World(tmp_path)
    with world.source.open("ab") as file:
        file.write(line("x" * 5000 + "\n"))
    assert world.copy.step()
    assert not world.copy.step()
    world.copy.close()
    assert len(world.lines()[0]) > 5000


def test_space_of_what_is_copied_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "STEP_BYTES", 128 * 1024)
    monkeypatch.setattr(copying, "HOLE_BYTES", 64 * 1024)
    world = World(tmp_path)
    with world.source.open("ab") as file:
        for _ in range(3000):
            file.write(line("x" * 100 + "\n"))
    size = world.source.stat().st_size
    while world.copy.step():
        pass
    assert world.source.stat().st_size == size
    assert world.source.stat().st_blocks * 512 < size // 2
    world.copy.close()
    world.copy = world.daemon()  # which reads nothing of the hole
    world.write(1)
    while world.copy.step():
        pass
    world.copy.close()
    assert world.lines()[-1].endswith("line 0")
