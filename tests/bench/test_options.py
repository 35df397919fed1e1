"""What a run is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from podwright.bench.options import BenchOptions, TargetOptions, parse_targets
from podwright.errors import InvalidArgument


def test_the_defaults_make_sense() -> None:
    BenchOptions().check()


@pytest.mark.parametrize(
    "change",
    [
        {"pods": 0},
        {"pods": 100_000},
        {"bursts": (100_000,)},
        {"concurrencies": ()},
        {"concurrencies": (0,)},
        {"steps": (20, 10)},
        {"image_steps": (5, 5)},
        {"agent_pods": (5, 5)},
        {"agent_pods": (0,)},
        {"agent_pods": (100_000,)},
        {"idle_s": 0},
        {"warmup": -1},
        {"rounds": 0},
        {"suites": ()},
        {"suites": ("start", "stop")},
    ],
    ids=str,
)
def test_options_that_make_no_sense(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        msgspec.structs.replace(BenchOptions(), **change).check()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:///run/x.sock", TargetOptions(name="x", endpoint="unix:///run/x.sock")),
        ("/run/x.sock", TargetOptions(name="x", endpoint="unix:///run/x.sock")),
        ("a=unix:///x", TargetOptions(name="a", endpoint="unix:///x")),
        ("docker+unix:///run/d.sock", TargetOptions(name="d", endpoint="unix:///run/d.sock", kind="docker")),
        ("a=docker+unix:///x", TargetOptions(name="a", endpoint="unix:///x", kind="docker")),
    ],
)
def test_endpoints(text: str, expected: TargetOptions) -> None:
    assert parse_targets([text]) == (expected,)


def test_fields_of_one_target() -> None:
    one, other = parse_targets(["a=/x", "b=/y"], {"b": {"handler": "runc", "restart": ("true",)}})
    assert (one.handler, other.handler, other.restart) == ("", "runc", ("true",))


@pytest.mark.parametrize(
    ("endpoints", "more", "words"),
    [
        ([], {}, "no endpoint"),
        (["/x", "/y/x"], {}, "two endpoints are named x"),
        (["a=/x"], {"b": {"handler": "runc"}}, "no endpoint is named b"),
        (["a=tcp://1.2.3.4:5"], {}, "not a unix socket"),
        (["a b=/x"], {}, "cannot name"),
        (["unix:///odd=name.sock"], {}, "cannot name"),
    ],
)
def test_endpoints_that_are_none(endpoints: list[str], more: dict[str, dict[str, object]], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        parse_targets(endpoints, more)
