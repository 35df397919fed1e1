"""From sets of pods to changes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from podwright.agent.pods.identity import CONFIG_SEEN, CONFIG_SOURCE
from podwright.agent.sources.changes import Operation, SourceChange
from podwright.agent.sources.merge import Merger
from podwright.k8s.objects import Pod, PodStatus
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.time import START_NS


class Clock:
    def now_ns(self) -> int:
        return START_NS

    def monotonic(self) -> float:
        return 0.0


DROPPED: list[str] = []


@pytest.fixture
def merger() -> Merger:
    DROPPED.clear()
    return Merger(Clock(), lambda pod, reason: DROPPED.append(pod.metadata.uid))


def said(changes: list[SourceChange]) -> list[tuple[str, list[str]]]:
    return [(change.operation.value, [pod.metadata.uid for pod in change.pods]) for change in changes]


def test_the_first_set_is_seen_even_if_it_is_empty(merger: Merger) -> None:
    assert said(merger.merge("file", [])) == [("add", [])]
    assert said(merger.merge("file", [])) == []
    assert merger.seen() == {"file"}


def test_new_pods_know_where_they_come_from(merger: Merger) -> None:
    (change,) = merger.merge("http", [pod("a")])
    annotations = change.pods[0].metadata.annotations
    assert annotations[CONFIG_SOURCE] == "http"
    assert annotations[CONFIG_SEEN] == "2023-11-14T22:13:20Z"


DELETED = replace(pod().metadata, deletion_timestamp=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changed", "operation"),
    [
        pytest.param(pod(), None, id="nothing"),
        pytest.param(pod(containers=(container(image="app:2"),)), "update", id="the spec"),
        pytest.param(pod(labels={"a": "b"}), "update", id="a label"),
        pytest.param(replace(pod(), metadata=DELETED), "delete", id="to be deleted"),
        pytest.param(replace(pod(), status=PodStatus(phase="Running")), "reconcile", id="the status"),
    ],
)
def test_a_pod_that_has_changed(merger: Merger, changed: Pod, operation: str | None) -> None:
    merger.merge("api", [pod()])
    assert said(merger.merge("api", [changed])) == ([(operation, ["uid-web"])] if operation else [])
    assert said(merger.merge("api", [changed])) == []


def test_local_annotations_make_no_difference_and_stay(merger: Merger) -> None:
    (first,) = merger.merge("api", [replace(pod(), metadata=replace(pod().metadata, annotations={}))])
    bare = replace(pod(labels={"x": "y"}).metadata, annotations={})
    (second,) = merger.merge("api", [replace(pod(), metadata=bare)])
    assert second.operation is Operation.UPDATE
    assert second.pods[0].metadata.annotations == first.pods[0].metadata.annotations


def test_what_goes_comes_before_what_is_new(merger: Merger) -> None:
    merger.merge("file", [pod("a"), pod("b")])
    changes = merger.merge("file", [pod("c"), pod("b", labels={"x": "y"})])
    assert said(changes) == [("remove", ["uid-a"]), ("add", ["uid-c"]), ("update", ["uid-b"])]


def test_sources_do_not_touch_each_other_s_pods(merger: Merger) -> None:
    merger.merge("file", [pod("a")])
    assert said(merger.merge("api", [pod("b")])) == [("add", ["uid-b"])]
    assert said(merger.merge("api", [])) == [("remove", ["uid-b"])]


def test_the_second_pod_of_a_name_is_dropped(merger: Merger) -> None:
    assert said(merger.merge("file", [pod("a", uid="1"), pod("a", uid="2"), pod("b", uid="1")])) == [("add", ["1"])]
    assert DROPPED == ["2", "1"]


def test_a_second_manifest_of_a_name_ends_no_pod(merger: Merger) -> None:
    merger.merge("file", [pod("a", uid="1")])
    assert said(merger.merge("file", [pod("a", uid="2"), pod("a", uid="1")])) == []
    assert DROPPED == ["2"]
    assert said(merger.merge("file", [pod("a", uid="2")])) == [("remove", ["1"]), ("add", ["2"])]


def test_a_pod_is_said_to_be_dropped_once(merger: Merger) -> None:
    both = [pod("a", uid="1"), pod("a", uid="2")]
    for _ in range(3):
        merger.merge("file", both)
    assert DROPPED == ["2"]
    merger.merge("file", both[:1])
    merger.merge("file", both)
    assert DROPPED == ["2", "2"]
