"""Texts of the kernel to numbers; whatever stands there, nothing is raised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.runtime.model.usage import UINT64_MAX
from podwright.runtime.stats import parse

HUGE = 2**63 - 4096  # "no limit" in the words of cgroup v1


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (b"0\n", 0),
        (b"1234567", 1234567),
        (b" 7 \n", 7),
        (str(UINT64_MAX).encode(), UINT64_MAX),
        (str(UINT64_MAX + 1).encode(), None),
        (b"9" * 5000, None),
        (b"", None),
        (b"max\n", None),
        (b"-1", None),
        (b"+1", None),
        (b"1_000", None),
        (b"1.5", None),
        ("²".encode(), None),
    ],
)
def test_number(word: bytes, value: int | None) -> None:
    assert parse.number(word) == value


STAT = b"cache 10\nrss 20\ntotal_rss 30\npgfault 4\nempty \nword x\n"


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        (STAT, b"cache", 10),
        (STAT, b"rss", 20),
        (STAT, b"total_rss", 30),
        (STAT, b"pgfault", 4),
        (STAT, b"fault", None),
        (STAT, b"empty", None),
        (STAT, b"word", None),
        (b"only 5", b"only", 5),
        (b"", b"any", None),
    ],
)
def test_field(text: bytes, key: bytes, value: int | None) -> None:
    assert parse.field(text, key) == value
    assert parse.count(text, key) == (value or 0)


@pytest.mark.parametrize(
    ("text", "value"), [(b"max\n", None), (str(HUGE).encode(), None), (b"4096\n", 4096), (b"0\n", 0), (b"", None)]
)
def test_limit(text: bytes, value: int | None) -> None:
    assert parse.limit(text) == value


def test_blkio() -> None:
    text = b"8:0 Read 4096\n8:0 Write 12\n8:0 Total 4108\n253:1 Read 1\nTotal 4109\nx:1 Read 1\n8:0 Read\n8:1 Re2d 1\n"
    assert parse.blkio(text) == {(8, 0, "Read"): 4096, (8, 0, "Write"): 12, (253, 1, "Read"): 1}


def test_io_stat() -> None:
    text = b"8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16 \n\n9:0 rbytes=x =1 wios=5\nbad rbytes=1\n"
    assert parse.io_stat(text) == {
        (8, 0): {"rbytes": 1, "wbytes": 2, "rios": 3, "wios": 4, "dbytes": 0, "dios": 0},
        (8, 16): {},
        (9, 0): {"wios": 5},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"Max cpu time   unlimited unlimited seconds\nMax open files   1024   4096   files\n", 1024),
        (b"Max open files   unlimited   unlimited   files\n", None),
        (b"Max open files\n", None),
        (b"", None),
    ],
)
def test_open_files_limit(text: bytes, value: int | None) -> None:
    assert parse.open_files_limit(text) == value


words = st.sampled_from(
    [
        b"some",
        b"full",
        b"total=",
        b"avg10=",
        b"8:0",
        b":",
        b"Read",
        b"rbytes=",
        b"Max open files",
        b"total_rss",
        b"max",
    ]
)
pieces = words | st.binary(max_size=12) | st.integers(-1, 2**70).map(lambda value: str(value).encode())
texts = st.lists(pieces | st.sampled_from([b" ", b"\n", b"="]), max_size=40).map(b" ".join) | st.binary(max_size=200)


@given(texts, st.sampled_from([b"total_rss", b"", b"8:0", b"max"]))
def test_nothing_is_raised_and_everything_fits_64_bits(text: bytes, key: bytes) -> None:
    numbers = [
        parse.number(text),
        parse.field(text, key),
        parse.limit(text),
        parse.open_files_limit(text),
        *parse.blkio(text).values(),
        *(value for table in parse.io_stat(text).values() for value in table.values()),
    ]
    assert all(value is None or 0 <= value <= UINT64_MAX for value in numbers)
