"""The pods of a run: as manifests in a folder, and as `/pods` shows them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podwright.bench.agents.manifests import Manifests
from podwright.bench.agents.pods import manifest, running_in
from podwright.errors import Internal
from podwright.k8s import codec
from podwright.k8s.objects import Pod

RUNS: dict[str, Any] = {"containerID": "containerd://c1", "state": {"running": {"startedAt": "x"}}}
WAITS: dict[str, Any] = {"state": {"waiting": {"reason": "ContainerCreating"}}}


def pod(phase: str = "Running", *containers: dict[str, Any], run: str = "r", name: str = "a") -> dict[str, Any]:
    """One item of a PodList."""
    labels = {"podwright.bench": run, "podwright.bench.pod": name}
    return {
        "metadata": {"name": f"{name}-node", "labels": labels},
        "status": {"phase": phase, "containerStatuses": containers},
    }


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (None, {}),
        ([], {}),
        ([pod("Running", RUNS)], {"a": "c1"}),
        ([pod("Running", {**RUNS, "containerID": "c2"})], {"a": "c2"}),
        ([pod("Pending", RUNS)], {}),
        ([pod("Running")], {}),
        ([pod("Running", WAITS)], {}),
        ([pod("Running", RUNS, WAITS)], {}),
        ([pod("Running", RUNS, run="other")], {}),
        ([{"metadata": {"name": "foreign"}}, pod("Running", RUNS, name="b")], {"b": "c1"}),
        ([{"metadata": {}, "status": {"phase": "Running", "containerStatuses": None}}], {}),
    ],
    ids=str,
)
def test_what_runs_according_to_a_pod_list(items: list[dict[str, Any]] | None, expected: dict[str, str]) -> None:
    assert running_in(msgspec.json.encode({"kind": "PodList", "items": items}), "r") == expected


@pytest.mark.parametrize("body", [b"", b"not found", b"[]", b'{"items": 1}'])
def test_an_answer_that_is_no_pod_list(body: bytes) -> None:
    with pytest.raises(Internal, match="/pods"):
        running_in(body, "r")


def test_a_manifest_is_a_pod_of_the_api() -> None:
    read = codec.decode(manifest("a", image="i", run_id="r"), Pod)
    assert (read.metadata.name, read.metadata.labels) == ("a", {"podwright.bench": "r", "podwright.bench.pod": "a"})
    assert read.spec
    assert [(each.image, each.image_pull_policy) for each in read.spec.containers] == [("i", "IfNotPresent")]


def test_manifests_appear_whole_and_their_time_is_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    manifests = Manifests(str(folder), str(tmp_path / "staging"), image="i", run_id="r")
    appeared = manifests.add(3)
    assert {path.name for path in folder.iterdir()} == {f"{name}.json" for name in appeared}
    for name, when_ns in appeared.items():
        file = folder / f"{name}.json"
        assert file.stat().st_mtime_ns == when_ns
        assert file.read_bytes() == manifest(name, image="i", run_id="r")
    first, *others = appeared
    manifests.remove(others)
    assert os.listdir(folder) == [f"{first}.json"]
    assert os.listdir(tmp_path / "staging") == []
    assert first not in manifests.add(1)
