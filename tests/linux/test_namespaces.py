"""Namespaces without processes: pinned, entered, let go."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from podwright.linux import libc, namespaces

pytestmark = pytest.mark.root


def _pins(folder: Path) -> dict[str, str]:
    return {kind: str(folder / kind) for kind in ("net", "ipc", "uts")}


def test_pinned_namespaces_are_new_and_outlive_their_thread(tmp_path: Path) -> None:
    pins = _pins(tmp_path)
    before = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in pins}

    def inside() -> dict[str, str]:
        libc.sethostname(b"pinned")
        return {kind: os.readlink(f"/proc/thread-self/ns/{kind}") for kind in pins}

    made = namespaces.create_pinned(pins, inside)
    try:
        assert all(made[kind] != before[kind] for kind in pins)
        assert {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in pins} == before
        assert all(namespaces.is_pinned(path) for path in pins.values())
        assert namespaces.run_in(pins["uts"], "uts", socket.gethostname) == "pinned"
        assert socket.gethostname() != "pinned"
    finally:
        for path in pins.values():
            namespaces.unpin(path)
    assert not any(namespaces.is_pinned(path) for path in pins.values())
    assert list(tmp_path.iterdir()) == []


def test_failure_inside_leaves_nothing(tmp_path: Path) -> None:
    def inside() -> None:
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        namespaces.create_pinned(_pins(tmp_path), inside)
    assert list(tmp_path.iterdir()) == []


def test_a_pin_that_is_taken_is_an_error_and_the_others_go(tmp_path: Path) -> None:
    (tmp_path / "uts").touch()
    with pytest.raises(FileExistsError):
        namespaces.create_pinned(_pins(tmp_path), lambda: None)
    assert [path.name for path in tmp_path.iterdir()] == ["uts"]


def test_a_plain_file_is_not_a_pin(tmp_path: Path) -> None:
    (tmp_path / "net").touch()
    assert not namespaces.is_pinned(str(tmp_path / "net"))
    namespaces.unpin(str(tmp_path / "net"))
    namespaces.unpin(str(tmp_path / "net"))
