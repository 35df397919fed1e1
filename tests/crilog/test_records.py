from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.crilog.records import Record, parse_record
from tests.crilog.build import STREAMS, TEXTS, TIME, record


@pytest.mark.parametrize(
    ("data", "partial", "text"),
    [
        (f"{TIME} stdout F a b  c", False, b"a b  c"),
        (f"{TIME} stdout P half", True, b"half"),
        (f"{TIME} stdout P:later x", True, b"x"),
        (f"{TIME} stdout F:P x", False, b"x"),
        (f"{TIME} stdout F ", False, b""),
        (f"{TIME} stdout F", False, b""),
        (f"{TIME} stdout F  ", False, b" "),
        (f"{TIME} stdout  x", False, b"x"),
    ],
)
def test_records(data: str, partial: bool, text: bytes) -> None:
    assert parse_record(data.encode()) == Record(time=TIME.encode(), stream="stdout", partial=partial, text=text)


@pytest.mark.parametrize("data", [b"", b"text", b"a stdin F x", b"a stdout", b"stdout F x", b'{"log":"x"}'])
def test_other_formats(data: bytes) -> None:
    assert parse_record(data) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_a_record_or_none(data: bytes) -> None:
    found = parse_record(data)
    assert found is None or data.startswith(found.time + b" " + found.stream.encode() + b" ")


@given(stream=STREAMS, tag=st.sampled_from((b"F", b"P", b"P:a:b")), text=TEXTS)
def test_what_was_written_is_read(stream: str, tag: bytes, text: bytes) -> None:
    found = parse_record(record(stream, tag, text)[:-1])
    assert found is not None
    assert (found.stream, found.partial, found.text) == (stream, tag.startswith(b"P"), text)
