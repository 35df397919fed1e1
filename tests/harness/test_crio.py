"""The configuration that CRI-O gets. Tested without CRI-O."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cni import BIN_DIR
from tests.harness.crio import Crio
from tests.harness.scratch import Scratch

UNIX_PATH_MAX = 107
HOST = "127.0.0.1:5000"


@pytest.fixture
def server(scratch: Scratch) -> Crio:
    """A CRI-O that is not started."""
    return Crio(scratch.part("crio"), pause_image=f"{HOST}/pause:1", registry=HOST, handler="crun")


def test_all_paths_are_its_own(server: Crio) -> None:
    config = tomllib.loads(server.config.read_text())
    paths = [value for value in _strings(config) if value.startswith("/")]
    assert len(paths) > 10
    assert [path for path in paths if server.directory not in Path(path).parents] == [str(BIN_DIR)]
    assert json.loads(Path(config["crio"]["image"]["signature_policy"]).read_text())["default"]
    assert list(Path(config["crio"]["network"]["network_dir"]).iterdir())


def test_the_default_handler_is_the_one_that_was_asked_for(server: Crio) -> None:
    runtime = tomllib.loads(server.config.read_text())["crio"]["runtime"]
    assert runtime["default_runtime"] == "crun"
    assert {"crun", "runc"} == set(runtime["runtimes"])


def test_a_containers_socket_has_a_path_that_fits(server: Crio) -> None:
    runtime = tomllib.loads(server.config.read_text())["crio"]["runtime"]
    assert len(f"{runtime['container_attach_socket_dir']}/{'0' * 64}/attach") <= UNIX_PATH_MAX


def test_pulls_go_to_the_one_registry(server: Crio) -> None:
    registries = tomllib.loads(server.registries.read_text())["registry"]
    assert {entry["location"] for entry in registries} == {HOST}
    assert {entry.get("prefix", HOST) for entry in registries} == {HOST, "docker.io"}


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)
