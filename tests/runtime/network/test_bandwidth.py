"""Traffic limits in annotations: quantities as Kubernetes writes them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.runtime.network.bandwidth import EGRESS, INGRESS, Bandwidth, bandwidth, parse_quantity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("12", 12),
        ("1.5k", 1500),
        (".5M", 500_000),
        ("10M", 10**7),
        ("2Gi", 2 * 1024**3),
        ("1Ki", 1024),
        ("3e6", 3 * 10**6),
        ("2E3", 2000),
        ("1E", 10**18),
        ("500m", Decimal("0.5")),
        ("-1k", -1000),
    ],
)
def test_quantities(text: str, expected: Decimal | int) -> None:
    assert parse_quantity(text) == expected


@pytest.mark.parametrize("text", ["", "M", "1 M", "1MB", "0x10", "1e", "\u0661", "nan", "inf", "1_000", "--1"])
def test_no_quantities(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_quantity(text)


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    try:
        parse_quantity(text)
    except InvalidArgument:
        return


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, Bandwidth()),
        ({EGRESS: "1k"}, Bandwidth(egress_bits_s=1000)),
        ({INGRESS: "1P", EGRESS: "1.5M"}, Bandwidth(ingress_bits_s=10**15, egress_bits_s=1_500_000)),
    ],
)
def test_bandwidth(annotations: dict[str, str], expected: Bandwidth) -> None:
    assert bandwidth(annotations) == expected


@pytest.mark.parametrize("value", ["999", "2P", "-1M", "fast"])
def test_bandwidth_refused(value: str) -> None:
    with pytest.raises(InvalidArgument, match=EGRESS):
        bandwidth({EGRESS: value})
