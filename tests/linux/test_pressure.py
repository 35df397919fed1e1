"""Pressure files of kernels. Whatever stands there, nothing is raised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.linux.pressure import Stalls, StallTimes, parse_pressure


def test_psi_is_in_nanoseconds() -> None:
    text = b"some avg10=12.47 avg60=3.17 avg300=0.70 total=2127562\nfull avg10=1.00 avg60=0.50 avg300=0.25 total=7\n"
    assert parse_pressure(text) == Stalls(
        some=StallTimes(total_ns=2127562000, avg10=12.47, avg60=3.17, avg300=0.7),
        full=StallTimes(total_ns=7000, avg10=1.0, avg60=0.5, avg300=0.25),
    )


def test_old_kernels_have_no_full_line_for_the_cpu() -> None:
    assert parse_pressure(b"some avg10=0.00 avg60=0.00 avg300=0.00 total=9\n") == Stalls(
        some=StallTimes(total_ns=9000)
    )


@pytest.mark.parametrize("text", [b"", b"\n", b"none avg10=1\n"])
def test_no_psi(text: bytes) -> None:
    assert parse_pressure(text) is None


@pytest.mark.parametrize("word", [b"nan", b"inf", b"-inf", b"x", b""])
def test_averages_are_numbers(word: bytes) -> None:
    assert parse_pressure(b"some avg10=" + word + b" total=1") == Stalls(some=StallTimes(total_ns=1000))


words = st.sampled_from([b"some", b"full", b"total=7", b"avg10=nan", b"total=-1", b"total=", b"\n", b"="])
numbers = st.integers(-1, 2**70).map(lambda value: f"total={value}".encode())


@given(st.lists(words | numbers, max_size=20).map(b" ".join) | st.binary(max_size=100))
def test_nothing_is_raised_and_everything_fits_64_bits(text: bytes) -> None:
    for each in (text, b"some " + text):
        stalls = parse_pressure(each)
        if stalls is not None:
            assert all(0 <= line.total_ns < 2**64 for line in (stalls.some, stalls.full))
