from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.seed.logs import LINE_LIMIT_BYTES, LogParser, follow_log, tail_text
from podwright.agent.seed.reporter import LogLine

TIME = "2024-05-01T10:00:00.000000001Z"


def parsed(data: bytes, cuts: list[int] | None = None) -> list[LogLine]:
    parser, start = LogParser("c"), 0
    lines: list[LogLine] = []
    for cut in [*sorted(cuts or []), len(data)]:
        lines += parser.feed(data[start:cut])
        start = cut
    return [*lines, *parser.flush()]


def record(stream: str, tag: str, text: str) -> bytes:
    return f"{TIME} {stream} {tag} {text}\n".encode()


def test_full_lines_of_both_streams() -> None:
    lines = parsed(record("stdout", "F", "a b  c") + record("stderr", "F", ""))
    assert lines == [
        LogLine(container="c", stream="stdout", time=TIME, text="a b  c"),
        LogLine(container="c", stream="stderr", time=TIME, text=""),
    ]


def test_partial_lines_are_joined_by_stream() -> None:
    data = record("stdout", "P", "one ") + record("stderr", "F", "other") + record("stdout", "F", "line")
    assert [(line.stream, line.text) for line in parsed(data)] == [("stderr", "other"), ("stdout", "one line")]


def test_a_line_without_its_end_is_shown_at_the_end() -> None:
    assert [line.text for line in parsed(record("stdout", "P", "no end"))] == ["no end"]


def test_tags_may_have_followers() -> None:
    assert [line.text for line in parsed(record("stdout", "P:x", "a") + record("stdout", "F:x", "b"))] == ["ab"]


def test_records_that_do_not_parse_are_shown() -> None:
    assert [(line.stream, line.text) for line in parsed(b"garbage\n\n")] == [("stderr", "garbage")]


def test_an_endless_line_comes_in_pieces() -> None:
    piece = record("stdout", "P", "x" * 16384)
    lines = parsed(piece * 200)
    assert sum(len(line.text) for line in lines) == 200 * 16384
    assert max(len(line.text) for line in lines) <= LINE_LIMIT_BYTES + 16384


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_in_any_pieces_give_the_same_lines(data: bytes, cuts: list[int]) -> None:
    assert parsed(data, [min(cut, len(data)) for cut in cuts]) == parsed(data)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr"]),
            st.lists(
                st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=20), min_size=1
            ),
        ),
        max_size=8,
    )
)
def test_what_was_written_is_what_is_read(written: list[tuple[str, list[str]]]) -> None:
    data = b""
    for stream, pieces in written:
        data += b"".join(record(stream, "P", piece) for piece in pieces[:-1]) + record(stream, "F", pieces[-1])
    assert [(line.stream, line.text) for line in parsed(data)] == [(s, "".join(pieces)) for s, pieces in written]


async def test_follow_reads_a_file_that_comes_later_grows_and_is_rotated(tmp_path: Path) -> None:
    path, lines, ended = tmp_path / "0.log", list[LogLine](), asyncio.Event()
    task = asyncio.create_task(follow_log(str(path), LogParser("c"), lines.append, ended))
    await asyncio.sleep(0.05)
    path.write_bytes(record("stdout", "F", "first"))
    await _until(lines, 1)
    path.rename(tmp_path / "0.log.old")
    path.write_bytes(record("stdout", "F", "second"))
    await _until(lines, 2)
    with path.open("ab") as file:
        file.write(record("stdout", "F", "last"))
    ended.set()
    await asyncio.wait_for(task, 5)
    assert [line.text for line in lines] == ["first", "second", "last"]


async def _until(lines: list[LogLine], count: int) -> None:
    for _ in range(500):
        if len(lines) >= count:
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(f"{len(lines)} lines instead of {count}")


def test_tail_takes_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"".join(record("stdout", "F", f"line {number}") for number in range(100)))
    assert tail_text(str(path), lines=2, limit_bytes=2048) == "line 98\nline 99"
    assert tail_text(str(tmp_path / "none"), lines=2, limit_bytes=2048) == ""
