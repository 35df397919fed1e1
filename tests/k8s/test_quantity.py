from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.k8s.quantity import NANO, Amount, parse, parse_nano, whole, whole_units


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
    assert parse("1.0001").milli == 1001
    assert whole("0.1") == 1
    assert parse_nano("0.0000000001") == 1
    assert whole_units(-1) == -1  # away from zero, as Go rounds


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        # apimachinery's own examples and TestQuantityParse.
        ("1.5", "1500m"),
        ("0.5Gi", "512Mi"),
        ("1024Mi", "1Gi"),
        ("1023", "1023"),
        ("1000", "1k"),
        ("1Ki", "1Ki"),
        ("0.5Ki", "512"),
        ("0.1Ki", "102400m"),
        ("1.1Mi", "1153433600m"),
        ("1e3", "1e3"),
        ("1500e0", "1500"),
        ("12345e-6", "12345e-6"),
        ("100000000n", "100m"),
        ("0Mi", "0"),
        ("-0", "0"),
        ("-1500m", "-1500m"),
        ("1.0001", "1000100u"),
        ("9223372036854775807", "9223372036854775807"),
        ("16Ei", "9223372036854775807"),
        ("0.3n", "1n"),
    ],
)
def test_the_canonical_text(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


def test_amounts_compare_and_add_by_value() -> None:
    assert parse("1Gi") == parse("1024Mi")
    assert parse("1500m") > parse("1")
    assert len({parse("1k"), parse("1000")}) == 1
    assert str(parse("512Mi") + parse("512Mi")) == "1Gi"
    assert str(parse("0") + parse("1Gi")) == "1Gi"
    assert str(parse("1") - parse("100m")) == "900m"
    assert str(sum((parse("1Mi"), parse("3Mi")), start=Amount(0))) == "4Mi"
    assert str(-parse("5")) == "-5"


@given(st.integers(-(10**30), 10**30), st.sampled_from(["m", "", "k", "Mi", "e2"]))
def test_the_canonical_text_means_the_same(number: int, suffix: str) -> None:
    amount = parse(f"{number}{suffix}")
    assert parse(str(amount)) == amount
    assert str(parse(str(amount))) == str(amount)


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "Ki", "Mi", "Gi"]))
def test_integers_with_suffixes_are_exact(number: int, suffix: str) -> None:
    factor = {"": Fraction(1), "m": Fraction(1, 1000), "k": Fraction(1000)}
    binary = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    scale = factor.get(suffix) or Fraction(binary[suffix])
    value: Fraction = number * scale
    assert parse_nano(f"{number}{suffix}") == (min(value, Fraction(2**63 - 1)) if suffix in binary else value) * NANO


@given(st.text(max_size=20))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        parse_nano(text)
