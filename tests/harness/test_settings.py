"""The harness writes the TOML that a test asked for."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.harness.podwright import merged, toml_of

SETTINGS: dict[str, dict[str, Any]] = {
    "empty": {},
    "plain": {"a": 1, "b": "x\n\"y\"'z'", "c": True, "d": [1, 2], "e": 1.5},
    "tables": {"network": {"mode": "cni"}, "last": 1, "handlers": {"my.runc": {"path": "/x"}, "crun": {}}},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_toml_reads_back_as_it_was_meant(settings: dict[str, Any]) -> None:
    assert tomllib.loads(toml_of(settings)) == settings


def test_paths_become_strings() -> None:
    assert tomllib.loads(toml_of({"a": Path("/x")})) == {"a": "/x"}


def test_later_settings_win_key_by_key() -> None:
    base = {"a": {"x": 1, "y": 2}, "b": 1}
    assert merged(base, {"a": {"y": 3}, "c": {}}) == {"a": {"x": 1, "y": 3}, "b": 1, "c": {}}
    assert base == {"a": {"x": 1, "y": 2}, "b": 1}
