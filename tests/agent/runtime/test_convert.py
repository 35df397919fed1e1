"""CRI's messages as records: what belongs to a pod of this agent, and what does not."""

from __future__ import annotations

import pytest

from podwright.agent.pods.identity import POD_UID
from podwright.agent.runtime import convert
from podwright.cri.v1 import api_pb2 as api

FOREIGN: list[dict[str, str]] = [{}, {"app": "x"}, {POD_UID: ""}, {POD_UID: "../../etc"}, {POD_UID: "a/b"}]


@pytest.mark.parametrize("labels", FOREIGN)
def test_what_has_no_uid_of_ours_is_somebody_elses(labels: dict[str, str]) -> None:
    assert convert.sandbox_summary(api.PodSandbox(id="s", labels=labels)) is None
    assert convert.container_summary(api.Container(id="c", labels=labels)) is None


@pytest.mark.parametrize("labels", FOREIGN)
def test_an_event_of_a_foreign_sandbox_names_no_pod(labels: dict[str, str]) -> None:
    status = api.PodSandboxStatus(id="s", metadata=api.PodSandboxMetadata(uid="u1"), labels=labels)
    event = convert.event(api.ContainerEventResponse(container_id="s", pod_sandbox_status=status))
    assert event.pod_uid == ""
    assert event.pod is not None


def test_an_event_of_ours_names_its_pod() -> None:
    status = api.PodSandboxStatus(id="s", labels={POD_UID: "u1"})
    event = convert.event(api.ContainerEventResponse(container_id="s", pod_sandbox_status=status))
    assert event.pod_uid == "u1"
    assert event.pod is not None
    assert event.pod.uid == "u1"


def test_an_event_may_not_show_its_sandbox() -> None:
    assert convert.event(api.ContainerEventResponse(container_id="c")).pod is None
