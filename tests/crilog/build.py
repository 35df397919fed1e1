"""Logs for tests: what a container writes, and the records that a runtime makes of it."""

from __future__ import annotations

from hypothesis import strategies as st

from podwright.crilog.lines import Line, LineParser
from podwright.crilog.records import Stream

TIME = "2026-01-02T03:04:05.678901234Z"

STREAMS = st.sampled_from(("stdout", "stderr"))
TEXTS = st.binary(max_size=40).map(lambda text: text.replace(b"\n", b""))
RECORDS = st.lists(
    st.one_of(
        st.tuples(STREAMS, st.sampled_from((b"P", b"F", b"F", b"F:x", b"P:x")), TEXTS),
        st.just(("", b"", b"of another format")),
    ),
    max_size=30,
)

Parts = tuple[str, bytes, bytes]


def record(stream: str, tag: bytes, text: bytes) -> bytes:
    """One record with its newline; without a stream one of another format."""
    head = f"{TIME} {stream} ".encode() + tag + b" " if stream else b""
    return head + text + b"\n"


def lines_of(records: list[Parts]) -> list[Line]:
    """The lines that records stand for, in the order in which their last records stand."""
    last: list[tuple[int, Line]] = []
    begun: dict[str, tuple[int, bytes]] = {}
    for index, (stream, tag, text) in enumerate(records):
        if not stream:
            last.append((index, Line(time="", stream="stderr", text=text)))
            continue
        whole = begun.pop(stream, (0, b""))[1] + text
        if tag.startswith(b"P"):
            begun[stream] = (index, whole)
        else:
            last.append((index, line(stream, whole)))
    last += [(index, line(stream, text, ended=False)) for stream, (index, text) in begun.items()]
    return [each for _, each in sorted(last, key=lambda pair: pair[0])]


def line(stream: str, text: bytes, *, ended: bool = True) -> Line:
    """A line at the time of all records."""
    name: Stream = "stdout" if stream == "stdout" else "stderr"
    return Line(time=TIME, stream=name, text=text, ended=ended)


def unfinished_last(lines: list[Line]) -> list[Line]:
    """As a parser gives them: lines without an end come when there is no more."""
    return sorted(lines, key=lambda each: not each.ended)


def parsed(data: bytes, cuts: tuple[int, ...] = (), parser: LineParser | None = None) -> list[Line]:
    """The lines of `data`, fed in pieces."""
    parser, start = parser or LineParser(), 0
    lines: list[Line] = []
    for cut in (*sorted(min(cut, len(data)) for cut in cuts), len(data)):
        lines += parser.feed(data[start:cut])
        start = cut
    return [*lines, *parser.flush()]
