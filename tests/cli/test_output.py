"""Protobuf JSON as crictl prints it."""

from __future__ import annotations

import pytest

from podwright.cli.output import as_data, as_inspection, rfc3339
from podwright.cri.v1 import api_pb2 as api


def test_a_list_has_camel_case_names_defaults_and_numbers_as_strings() -> None:
    pod = api.PodSandbox(id="a", metadata=api.PodSandboxMetadata(name="n", uid="u", namespace="s"), created_at=5)
    assert as_data(api.ListPodSandboxResponse(items=[pod])) == {
        "items": [
            {
                "id": "a",
                "metadata": {"name": "n", "uid": "u", "namespace": "s", "attempt": 0},
                "state": "SANDBOX_READY",
                "createdAt": "5",
                "labels": {},
                "annotations": {},
                "runtimeHandler": "",
            }
        ]
    }


def test_unset_messages_are_left_out() -> None:
    assert "uid" not in as_data(api.Image(id="i"))


def test_an_inspection_opens_the_verbose_info() -> None:
    info = {"info": '{"pid": 7}', "other": "plain"}
    shown = as_inspection(api.ContainerStatus(id="c", created_at=1_795_251_978_030_347_157), info)
    assert shown["info"] == {"pid": 7, "other": "plain"}
    assert shown["status"]["createdAt"] == "2026-11-21T09:06:18.030347157Z"
    assert shown["status"]["stopSignal"] == "RUNTIME_DEFAULT"
    assert shown["status"]["finishedAt"] == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "0001-01-01T00:00:00Z"),
        (1_000_000_000, "1970-01-01T00:00:01Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (1_000_000_001, "1970-01-01T00:00:01.000000001Z"),
    ],
)
def test_times(time_ns: int, text: str) -> None:
    assert rfc3339(time_ns) == text
