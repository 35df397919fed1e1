"""The parameters of a container's log, and the instance that is meant."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.agent.server.api.log_options import LogOptions, Unprocessable, instance_id, log_options
from podwright.agent.server.api.log_stream import with_nanoseconds
from podwright.errors import InvalidArgument, PodwrightError
from podwright.k8s import codec
from podwright.k8s.objects import Pod

NOW_NS = 1_700_000_000 * 10**9


def options(query: dict[str, str], *, splits: bool = False) -> LogOptions:
    return log_options({name: [value] for name, value in query.items()}, NOW_NS, splits=splits)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, {}),
        ({"follow": "true"}, {"follow": True}),
        ({"follow": "1", "previous": "t", "timestamps": ""}, {"follow": True, "previous": True, "timestamps": True}),
        ({"follow": "false", "previous": "0"}, {}),
        ({"tailLines": "0"}, {"tail_lines": 0}),
        ({"tail": "7", "tailLines": "3"}, {"tail_lines": 7}),
        ({"tail": "all", "tailLines": "3"}, {}),
        ({"limitBytes": "1"}, {"limit_bytes": 1}),
        ({"sinceSeconds": "5"}, {"since_ns": NOW_NS - 5 * 10**9}),
        ({"sinceTime": "2026-01-02T03:04:05.5Z"}, {"since_ns": 1_767_323_045_500_000_000}),
        ({"stream": "All"}, {}),
        ({"unknown": "x"}, {}),
    ],
)
def test_what_is_understood(query: dict[str, str], wanted: dict[str, Any]) -> None:
    assert options(query) == LogOptions(**wanted)


def test_one_stream_behind_its_gate() -> None:
    assert options({"stream": "Stderr"}, splits=True).stream == "stderr"
    with pytest.raises(InvalidArgument, match="PodLogsQuerySplitStreams"):
        options({"stream": "Stderr"})
    for query in ({"stream": "Stdin"}, {"stream": "Stdout", "tailLines": "1"}):
        with pytest.raises(Unprocessable):
            options(query, splits=True)


@pytest.mark.parametrize(
    "query",
    [
        {"tailLines": "-1"},
        {"limitBytes": "0"},
        {"sinceSeconds": "0"},
        {"sinceSeconds": "1", "sinceTime": "2026-01-02T03:04:05Z"},
    ],
)
def test_what_makes_no_sense(query: dict[str, str]) -> None:
    with pytest.raises(Unprocessable):
        options(query)


@pytest.mark.parametrize(
    "query",
    [
        {"tailLines": "x"},
        {"tailLines": "9" * 30},
        {"limitBytes": "1.5"},
        {"sinceTime": "yesterday"},
        {"tailLines": "٣"},
    ],
)
def test_what_cannot_be_read(query: dict[str, str]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        options(query)
    assert not isinstance(refused.value, Unprocessable)


def pod(**status: Any) -> Pod:
    statuses = [{"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0, **status}]
    document = {"metadata": {"name": "web"}, "spec": {"containers": []}, "status": {"containerStatuses": statuses}}
    return codec.from_document(document, Pod)


def ended(container_id: str) -> dict[str, Any]:
    return {"terminated": {"exitCode": 1, "containerID": container_id}}


@pytest.mark.parametrize(
    ("status", "previous", "found"),
    [
        ({"state": {"running": {}}, "containerID": "podwright://a"}, False, "a"),
        ({"state": {"running": {}}, "containerID": "x://a", "lastState": ended("x://b")}, True, "b"),
        ({"state": ended("x://a")}, False, "a"),
        ({"state": ended(""), "lastState": ended("x://b")}, False, "b"),
        ({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended("x://b")}, False, "b"),
    ],
)
def test_the_instance_that_is_meant(status: dict[str, Any], previous: bool, found: str) -> None:
    assert instance_id(pod(**status), "main", previous=previous) == found


@pytest.mark.parametrize(
    ("status", "previous", "message"),
    [
        ({"state": {"running": {}}}, True, 'previous terminated container "main" in pod "web" not found'),
        ({"state": ended("")}, False, 'container "main" in pod "web" is terminated'),
        (
            {"state": {"waiting": {"reason": "ErrImagePull"}}},
            False,
            'container "main" in pod "web" is waiting to start: image can\'t be pulled',
        ),
        (
            {"state": {"waiting": {"reason": "ImagePullBackOff"}}},
            False,
            'container "main" in pod "web" is waiting to start: trying and failing to pull image',
        ),
        (
            {"state": {"waiting": {"reason": "ContainerCreating"}}},
            False,
            'container "main" in pod "web" is waiting to start: ContainerCreating',
        ),
        ({"state": {}}, False, 'container "main" in pod "web" is waiting to start - no logs yet'),
    ],
)
def test_no_instance(status: dict[str, Any], previous: bool, message: str) -> None:
    with pytest.raises(PodwrightError) as refused:
        instance_id(pod(**status), "main", previous=previous)
    assert refused.value.message == message
    with pytest.raises(PodwrightError, match='container "other" in pod "web" is not available'):
        instance_id(pod(**status), "other", previous=previous)


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.100000000Z"),
        ("2026-01-02T03:04:05.123456789+02:00", "2026-01-02T03:04:05.123456789+02:00"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000000Z"),
        ("2026-01-02T03:04:05.5+00:00", "2026-01-02T03:04:05.500000000Z"),
        ("none", "none"),
    ],
)
def test_times_have_nine_digits(time: str, shown: str) -> None:
    assert with_nanoseconds(time) == shown
