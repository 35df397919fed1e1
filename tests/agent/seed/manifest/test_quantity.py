from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.seed.manifest.quantity import NANO, milli, parse_nano, whole
from podwright.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1", 1),
        (2, 2),
        (0.5, Fraction(1, 2)),
        ("100m", Fraction(1, 10)),
        ("1.5Gi", Fraction(3, 2) * 2**30),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("1e3", 1000),
        ("1E-3", Fraction(1, 1000)),
        ("2E", 2 * 10**18),
        ("64Mi", 64 * 2**20),
        ("128k", 128000),
        ("-1", -1),
        ("+3", 3),
        ("1n", Fraction(1, NANO)),
    ],
)
def test_known_quantities(text: str | float, value: Fraction) -> None:
    assert parse_nano(text) == value * NANO


@pytest.mark.parametrize(
    "text", ["", ".", "m", "1 Gi", "1K", "1KB", "0x10", "1e", "--1", "1.2.3", "\N{SUPERSCRIPT TWO}"]
)
def test_what_is_not_a_quantity(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_nano(text)


def test_rounding_is_up() -> None:
    assert milli("1.0001") == 1001
    assert whole("0.1") == 1
    assert parse_nano("0.0000000001") == 1


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "Ki", "Mi", "Gi"]))
def test_integers_with_suffixes_are_exact(number: int, suffix: str) -> None:
    factor = {"": Fraction(1), "m": Fraction(1, 1000), "k": Fraction(1000)}
    binary = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    scale = factor.get(suffix) or Fraction(binary[suffix])
    assert parse_nano(f"{number}{suffix}") == number * scale * NANO


@given(st.text(max_size=20))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        parse_nano(text)
