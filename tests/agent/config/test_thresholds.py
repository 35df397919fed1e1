"""Thresholds of eviction, as files and flags write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config.command_line import parse_command_line
from podwright.agent.config.loading import load
from podwright.agent.config.thresholds import (
    EvictionSignal,
    Threshold,
    ThresholdValue,
    of_all_pods,
    reclaim_value,
    threshold_value,
    thresholds,
)
from podwright.errors import InvalidArgument
from podwright.k8s.quantity import parse

GIB = 1 << 30


@pytest.mark.parametrize(
    ("text", "capacity", "bytes_"),
    [
        ("100Mi", GIB, 100 << 20),
        ("1k", GIB, 1000),
        ("10%", 1000, 100),
        ("5%", 16_777_216, 838_860),  # a twentieth in single precision is a little more than that
        ("12.5%", 800, 100),
        ("33%", 10**12, 330_000_013_113),  # single precision: what a kubelet has, to the byte
    ],
)
def test_a_value_is_an_amount_or_a_share(text: str, capacity: int, bytes_: int) -> None:
    value = threshold_value("nodefs.available", text)
    assert value is not None
    assert value.of(capacity).whole == bytes_


@pytest.mark.parametrize("text", ["0%", "100%"])
def test_some_values_turn_a_threshold_off(text: str) -> None:
    assert threshold_value("nodefs.available", text) is None
    assert thresholds({"nodefs.available": text}, None, None, None) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "more than 0"),
        ("-1Mi", "more than 0"),
        ("101%", "from 0% to 100%"),
        ("-1%", "from 0% to 100%"),
        ("nan%", "not a percentage"),
        ("1e3%", "not a percentage"),
        ("much", "not a quantity"),
    ],
)
def test_other_values_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        threshold_value("nodefs.available", text)


def test_a_minimum_reclaim_may_be_nothing_but_not_less() -> None:
    assert reclaim_value("nodefs.available", "0") == ThresholdValue(amount=parse("0"))
    for text in ("-1", "0%", "-3%"):
        with pytest.raises(InvalidArgument):
            reclaim_value("nodefs.available", text)


def test_hard_and_soft_ones_share_a_minimum_reclaim() -> None:
    found = thresholds(
        {"memory.available": "100Mi"},
        {"memory.available": "200Mi"},
        {"memory.available": "1m30s"},
        {"memory.available": "50Mi"},
    )
    reclaim = ThresholdValue(amount=parse("50Mi"))
    hard = Threshold(signal=EvictionSignal.MEMORY, value=ThresholdValue(amount=parse("100Mi")), min_reclaim=reclaim)
    soft = Threshold(
        signal=EvictionSignal.MEMORY, value=ThresholdValue(amount=parse("200Mi")), grace_s=90, min_reclaim=reclaim
    )
    of_pods = Threshold(
        signal=EvictionSignal.ALLOCATABLE_MEMORY, value=ThresholdValue(amount=parse("100Mi")), min_reclaim=reclaim
    )
    assert found == (hard, soft)
    assert of_all_pods(found) == (of_pods,)
    assert [each.is_hard for each in found] == [True, False]


def test_the_configuration_names_each_fault() -> None:
    flags = [
        "--eviction-hard=memory.free<100Mi,nodefs.available<200%",
        "--eviction-soft=nodefs.available<10%",
        "--eviction-soft-grace-period=disk=1m",
        "--eviction-minimum-reclaim=nodefs.available=-1",
    ]
    with pytest.raises(InvalidArgument) as caught:
        load(parse_command_line(flags), unified_cgroups=True)
    text = str(caught.value)
    for part in (
        "evictionHard: 'memory.free' is not a signal",
        "evictionHard: nodefs.available: 200% must be from",
        "evictionSoft: nodefs.available: a soft threshold needs a grace period",
        "evictionSoftGracePeriod: 'disk' is not a signal",
        "evictionMinimumReclaim: nodefs.available: -1 must not be less",
    ):
        assert part in text


@given(st.floats(0.01, 99.99), st.integers(0, 1 << 50))
def test_a_share_is_never_more_than_the_whole(percent: float, capacity: int) -> None:
    value = threshold_value("nodefs.available", f"{percent:.2f}%")
    assert value is not None
    amount = value.of(capacity).whole
    assert 0 <= amount <= capacity
    assert math.isclose(amount, capacity * percent / 100, rel_tol=0.01, abs_tol=0.01 * capacity + 1)
