"""Where the last lines of a log begin."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podwright.agent.seed.logs import LogParser
from podwright.cli import log_tail
from podwright.cli.log_tail import LateParser, tail_offset

TIME = b"2026-01-02T03:04:05.678901234Z"


def record(text: bytes, tag: bytes = b"F") -> bytes:
    return TIME + b" stdout " + tag + b" " + text + b"\n"


def lines(data: bytes) -> list[str]:
    parser = LogParser("c")
    return [line.text for line in (*parser.feed(data), *parser.flush())]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(
        st.tuples(st.sampled_from([b"P", b"F", b"F:x"]), st.binary(max_size=40).map(lambda b: b.replace(b"\n", b""))),
        max_size=30,
    ),
    wanted=st.integers(min_value=0, max_value=12),
    window=st.sampled_from([1, 50, 100, 64 * 1024]),
)
def test_the_tail_is_the_end_of_the_whole(
    tmp_path: Path, records: list[tuple[bytes, bytes]], wanted: int, window: int
) -> None:
    data = b"".join(record(text, tag) for tag, text in records) + record(b"end")
    file = tmp_path / "log"
    file.write_bytes(data)
    with patch.object(log_tail, "FIRST_WINDOW_BYTES", window):
        offset = tail_offset(str(file), wanted)
    whole = lines(data)
    assert lines(data[offset:]) == whole[len(whole) - min(wanted, len(whole)) :]


def test_an_empty_log(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.touch()
    assert tail_offset(str(file), 5) == 0


@given(cut=st.integers(min_value=1, max_value=200))
def test_a_late_parser_passes_over_bytes_however_they_come(cut: int) -> None:
    data = record(b"one") + record(b"two") + record(b"three")
    parser = LateParser("c", skip_bytes=len(record(b"one")))
    chunks = [data[at : at + cut] for at in range(0, len(data), cut)]
    assert [line.text for chunk in chunks for line in parser.feed(chunk)] == ["two", "three"]
