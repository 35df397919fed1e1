"""A pull summed up."""

from __future__ import annotations

import pytest

from podwright.api.pull_state import PullMeter, PullState, Seldom, describe_pull
from podwright.api.v1 import pulls_pb2 as api


def _message(*layers: tuple[int, int, bool], stage: api.PullStage = api.DOWNLOADING) -> api.PullProgress:
    return api.PullProgress(
        reference="r.io/a:1",
        stage=stage,
        began_at=5,
        layers=[
            api.LayerProgress(done_bytes=done, total_bytes=total, unpacked=there) for done, total, there in layers
        ],
    )


def test_sums() -> None:
    state = PullMeter().state(_message((100, 100, True), (30, 200, False), (0, 300, False)), 0.0)
    assert (state.done_bytes, state.total_bytes) == (130, 600)
    assert (state.layers_done, state.layers) == (1, 3)
    assert (state.reference, state.stage, state.key) == ("r.io/a:1", "downloading", ("r.io/a:1", 5))


@pytest.mark.parametrize("stage", api.PullStage.values())
def test_every_stage_has_its_name(stage: api.PullStage) -> None:
    name = api.PullStage.Name(stage).lower()
    assert PullMeter().state(_message(stage=stage), 0.0).stage == name


def test_what_was_there_does_not_count_for_the_rate() -> None:
    meter = PullMeter()
    meter.state(_message(stage=api.RESOLVING), 0.0)
    assert meter.state(_message((1000, 1000, True), (0, 5000, False)), 10.0).rate_bytes_s == 0
    assert meter.state(_message((1000, 1000, True), (500, 5000, False)), 11.0).rate_bytes_s == 500
    assert meter.state(_message((1000, 1000, True), (2000, 5000, False)), 12.0).rate_bytes_s == 1000


def test_the_rate_is_of_the_last_looks_and_never_negative() -> None:
    meter = PullMeter()
    for second in range(100):
        state = meter.state(_message((second * second, 10_000, False)), float(second))
    assert state.rate_bytes_s == (99 * 99 - 50 * 50) / 49
    assert meter.state(_message((0, 10_000, False)), 100.0).rate_bytes_s == 0  # it comes anew


def test_words() -> None:
    state = PullState(
        reference="a",
        stage="downloading",
        done_bytes=120_500_000,
        total_bytes=300_000_000,
        layers_done=2,
        layers=6,
        rate_bytes_s=30_100_000.0,
    )
    assert describe_pull(state) == "downloading, 120.5 of 300.0 MB, 30.1 MB/s, 2 of 6 layers"
    assert describe_pull(PullState(reference="a", stage="resolving")) == "resolving"
    assert describe_pull(PullState(reference="a", stage="failed", error="no")) == "failed, no"


def test_seldom() -> None:
    now = 0.0
    seldom = Seldom(10.0, lambda: now)
    told = []
    for step in range(31):
        now = float(step)
        if seldom.is_due("a"):
            told.append(step)
    assert told == [10, 20, 30]
    now = 35.0
    assert not seldom.is_due("b")
    seldom.forget("a")
    now = 44.0
    assert not seldom.is_due("a")
