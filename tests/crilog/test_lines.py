from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podwright.crilog.lines import LINE_LIMIT_BYTES, Line, LineParser
from tests.crilog.build import RECORDS, TIME, Parts, line, lines_of, parsed, record, unfinished_last


def test_full_lines_of_both_streams() -> None:
    data = record("stdout", b"F", b"a b  c") + record("stderr", b"F", b"")
    assert parsed(data) == [line("stdout", b"a b  c"), line("stderr", b"")]


def test_the_parts_of_a_line_are_joined_by_stream_under_the_first_time() -> None:
    data = b"first stdout P one \n" + record("stderr", b"F", b"other") + record("stdout", b"F", b"line")
    assert parsed(data) == [line("stderr", b"other"), Line(time="first", stream="stdout", text=b"one line")]


def test_a_line_without_its_end_comes_last() -> None:
    data = record("stdout", b"P", b"no end") + record("stderr", b"F", b"x")
    assert parsed(data) == [line("stderr", b"x"), line("stdout", b"no end", ended=False)]


def test_a_record_without_its_newline_is_not_shown_before_the_end() -> None:
    parser = LineParser()
    assert list(parser.feed(record("stdout", b"F", b"x")[:-1])) == []
    assert list(parser.flush()) == [line("stdout", b"x")]


def test_records_of_other_formats_come_as_they_stand() -> None:
    assert parsed(b"garbage\n\n") == [Line(time="", stream="stderr", text=b"garbage")]


def test_a_line_may_go_on_in_the_next_file() -> None:
    parser = LineParser()
    assert list(parser.feed(record("stdout", b"P", b"on") + b"cut off")) == []
    assert list(parser.end_file()) == [Line(time="", stream="stderr", text=b"cut off", ended=False)]
    assert list(parser.feed(record("stdout", b"F", b"e"))) == [line("stdout", b"one")]


def test_an_endless_line_comes_in_pieces_that_are_the_whole() -> None:
    piece = record("stdout", b"P", b"x" * 16384)
    lines = parsed(piece * 200 + record("stdout", b"F", b"end"))
    assert b"".join(each.text for each in lines) == b"x" * 16384 * 200 + b"end"
    assert max(len(each.text) for each in lines) <= LINE_LIMIT_BYTES + 16384
    assert [each.ended for each in lines] == [False] * (len(lines) - 1) + [True]


def test_bytes_without_any_newline_are_not_kept() -> None:
    parser = LineParser()
    shown = [each for _ in range(80) for each in parser.feed(b"x" * 65536)]
    assert sum(len(each.text) for each in shown) >= 80 * 65536 - 2 * LINE_LIMIT_BYTES


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5).map(tuple))
def test_any_bytes_in_any_pieces_give_the_same_lines(data: bytes, cuts: tuple[int, ...]) -> None:
    assert parsed(data, cuts) == parsed(data)


@given(RECORDS, st.lists(st.integers(0, 3000), max_size=5).map(tuple))
def test_records_become_lines(records: list[Parts], cuts: tuple[int, ...]) -> None:
    assert parsed(b"".join(record(*each) for each in records), cuts) == unfinished_last(lines_of(records))


@given(RECORDS)
def test_the_position_is_that_of_the_bytes_taken(records: list[Parts]) -> None:
    data, parser = b"".join(record(*each) for each in records), LineParser(position=7)
    list(parser.feed(data))
    assert parser.position == 7 + len(data)


def test_the_time_is_the_runtimes() -> None:
    assert parsed(record("stdout", b"F", b""))[0].time == TIME
