from __future__ import annotations

import io
from typing import Any

import pytest

from podwright.cli.log_writer import LimitReached, LogWriter
from podwright.crilog.lines import Line
from podwright.crilog.records import Stream

EARLY, LATE = "2026-01-02T03:04:05Z", "2026-01-02T03:04:06+00:00"


def line(text: bytes, *, stream: Stream = "stdout", time: str = LATE, ended: bool = True) -> Line:
    return Line(time=time, stream=stream, text=text, ended=ended)


def written(*lines: Line, **options: Any) -> tuple[bytes, bytes]:
    out, err = io.BytesIO(), io.BytesIO()
    writer = LogWriter(out=out, err=err, **options)
    for each in lines:
        writer.write(each)
    return out.getvalue(), err.getvalue()


def test_every_byte_goes_to_its_stream() -> None:
    lines = (line(b"\xff\x00"), line(b"e", stream="stderr"), line(b"no newline", ended=False))
    assert written(*lines) == (b"\xff\x00\nno newline", b"e\n")


def test_the_time_stands_before_a_line_and_not_before_its_pieces() -> None:
    lines = (line(b"a", ended=False), line(b"b", ended=False), line(b"c"), line(b"d"), line(b"raw", time=""))
    assert written(*lines, timestamps=True)[0] == f"{LATE} abc\n{LATE} d\nraw\n".encode()


def test_older_lines_are_left_out() -> None:
    lines = (line(b"old", time=EARLY), line(b"new"), line(b"raw", time=""))
    assert written(*lines, since_ns=1_767_323_046 * 10**9)[0] == b"new\nraw\n"


def test_one_stream_alone() -> None:
    lines = (line(b"out"), line(b"err", stream="stderr"), line(b"raw", stream="stderr", time=""))
    assert written(*lines, stream="stderr") == (b"", b"err\n")


@pytest.mark.parametrize(("limit", "shown"), [(0, b""), (1, b"1"), (6, b"123\n45"), (8, b"123\n456\n")])
def test_no_more_bytes_than_were_wanted(limit: int, shown: bytes) -> None:
    out = io.BytesIO()
    writer = LogWriter(out=out, err=io.BytesIO(), limit_bytes=limit)
    lines = [line(text) for text in (b"123", b"456", b"789")]
    with pytest.raises(LimitReached):
        list(map(writer.write, lines))
    assert out.getvalue() == shown


def test_streams_of_one_terminal_stay_in_order() -> None:
    terminal = io.BytesIO()
    out, err = (io.BufferedWriter(_Onto(terminal)) for _ in range(2))
    writer = LogWriter(out=out, err=err)
    for text, stream in ((b"1", "stdout"), (b"2", "stderr"), (b"3", "stdout"), (b"4", "stderr")):
        writer.write(line(text, stream="stdout" if stream == "stdout" else "stderr"))
    writer.flush()
    assert terminal.getvalue() == b"1\n2\n3\n4\n"


class _Onto(io.RawIOBase):
    """Writes to another stream, as two descriptors of one terminal do."""

    def __init__(self, target: io.BytesIO) -> None:
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._target.write(data)
