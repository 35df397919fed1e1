"""The factor of the tests' deadlines."""

from __future__ import annotations

import pytest

from podwright.conformance.patience import FACTOR, factor, patient


@pytest.mark.parametrize(("given", "expected"), [("", 1), ("1", 1), ("2.5", 2.5), ("1000", 1000)])
def test_a_factor(given: str, expected: float) -> None:
    assert factor(given) == expected


@pytest.mark.parametrize("given", ["0", "-1", "0.5", "nan", "inf", "1001", "ten"])
def test_what_is_no_factor(given: str) -> None:
    with pytest.raises(ValueError, match=r"PODWRIGHT_TEST_PATIENCE|could not convert"):
        factor(given)


def test_a_deadline_is_multiplied() -> None:
    assert patient(3.0) == 3.0 * FACTOR
