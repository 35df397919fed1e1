from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.crilog import tail
from podwright.crilog.lines import Line
from podwright.crilog.records import Stream
from podwright.crilog.tail import find_tail, read_tail
from tests.crilog.build import RECORDS, Parts, lines_of, parsed, record, unfinished_last


def tail_lines(data: bytes, count: int, stream: Stream | None = None) -> list[Line]:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(data)
        found = find_tail(file.fileno(), count, stream)
    return parsed(data[found.offset :], parser=found.parser())


def texts(data: bytes, count: int, stream: Stream | None = None) -> list[bytes]:
    return [each.text for each in tail_lines(data, count, stream)]


@given(
    records=RECORDS,
    count=st.integers(min_value=0, max_value=12),
    stream=st.sampled_from((None, "stdout", "stderr")),
    block=st.sampled_from((1, 50, 100, 64 * 1024)),
)
def test_the_tail_is_the_end_of_the_whole(records: list[Parts], count: int, stream: Stream | None, block: int) -> None:
    data = b"".join(record(*each) for each in records)
    wanted = [each for each in lines_of(records) if stream is None or (each.stream == stream and each.time)]
    with patch.object(tail, "BLOCK_BYTES", block):
        assert tail_lines(data, count, stream) == unfinished_last(wanted[len(wanted) - min(count, len(wanted)) :])


@pytest.mark.parametrize("count", range(4))
def test_a_last_line_without_a_newline_is_a_line(count: int) -> None:
    data = record("stdout", b"F", b"a") + record("stdout", b"F", b"b") + record("stdout", b"P", b"c")
    assert texts(data, count) == [b"a", b"b", b"c"][3 - count :]


def test_a_record_that_is_being_written_is_a_line() -> None:
    data = record("stdout", b"F", b"a") + record("stdout", b"F", b"b")[:-1]
    assert texts(data, 1) == [b"b"]


def test_a_stream_between_the_parts_of_a_line_does_not_count() -> None:
    data = (
        record("stderr", b"F", b"old")
        + record("stdout", b"P", b"on")
        + record("stderr", b"F", b"between")
        + record("stdout", b"F", b"e")
    )
    assert texts(data, 1) == [b"one"]
    assert texts(data, 1, "stderr") == [b"between"]


def test_an_empty_log() -> None:
    assert texts(b"", 5) == []


def test_a_long_line_is_found_whole_and_far_parts_are_not_looked_for() -> None:
    long = record("stdout", b"P", b"x" * 16384) * 200 + record("stdout", b"F", b"end")
    data = record("stdout", b"F", b"first") + long
    assert b"".join(texts(data, 1)) == b"x" * 16384 * 200 + b"end"
    data = record("stderr", b"F", b"first") + long + record("stderr", b"F", b"last")
    with patch.object(tail, "GAP_LIMIT_BYTES", 64 * 1024), patch.object(os, "pread", wraps=os.pread) as pread:
        assert texts(data, 1) == [b"last"]
    assert pread.call_count < 20


def last_bytes(path: Path, *, lines: int, limit_bytes: int) -> bytes:
    with path.open("rb") as file:
        return read_tail(file.fileno(), lines=lines, limit_bytes=limit_bytes)


def test_the_bytes_of_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"".join(record("stdout", b"F", f"line {number}".encode()) for number in range(100)))
    assert last_bytes(path, lines=2, limit_bytes=2048) == b"line 98\nline 99\n"
    assert last_bytes(path, lines=2, limit_bytes=10) == b"8\nline 99\n"


def test_the_bytes_of_a_log_of_single_bytes_and_of_huge_lines(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(record("stdout", b"P", b"x") * 5000)
    assert last_bytes(path, lines=2, limit_bytes=2048) == b"x" * 2048
    path.write_bytes(record("stdout", b"P", b"y" * 16384) * 100 + record("stdout", b"F", b"end"))
    assert last_bytes(path, lines=80, limit_bytes=2048) == b"y" * 2044 + b"end\n"


def test_the_bytes_of_the_last_lines_keep_their_newlines(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    ended = record("stdout", b"F", b"a") + record("stderr", b"F", b"b")
    for data, expected in (
        (ended, b"a\nb\n"),
        (ended + record("stdout", b"P", b"c"), b"b\nc"),
        (ended[:-1], b"a\nb\n"),
        (b"", b""),
    ):
        path.write_bytes(data)
        with open(path, "rb") as file:
            assert read_tail(file.fileno(), lines=2, limit_bytes=2048) == expected
            assert read_tail(file.fileno(), lines=2, limit_bytes=2) == expected[-2:]
