"""What an event of the runtime shows of its pod. Whether that is all of it, `pleg.generator` decides."""

from __future__ import annotations

import pytest

from podwright.agent.runtime.convert import event
from podwright.cri.v1 import api_pb2 as api

SANDBOX = api.PodSandboxStatus(
    id="s1",
    metadata=api.PodSandboxMetadata(name="web", namespace="default", uid="uid1"),
    labels={
        "io.kubernetes.pod.name": "web",
        "io.kubernetes.pod.namespace": "default",
        "io.kubernetes.pod.uid": "uid1",
    },
)
CONTAINER = api.ContainerStatus(id="c1", metadata=api.ContainerMetadata(name="main"))
STARTED, DELETED = api.CONTAINER_STARTED_EVENT, api.CONTAINER_DELETED_EVENT


@pytest.mark.parametrize(
    ("kind", "of", "containers", "shows_pod"),
    [
        pytest.param(STARTED, "s1", (), True, id="a sandbox starts"),
        pytest.param(STARTED, "c1", (CONTAINER,), True, id="a container starts"),
        pytest.param(STARTED, "c1", (), True, id="containers are not sent along"),
        pytest.param(DELETED, "s1", (), False, id="a sandbox is removed"),
        pytest.param(DELETED, "c2", (CONTAINER,), True, id="a container is removed, another one stays"),
        pytest.param(DELETED, "c1", (), True, id="the last container is removed"),
    ],
)
def test_events(
    kind: api.ContainerEventType, of: str, containers: tuple[api.ContainerStatus, ...], shows_pod: bool
) -> None:
    message = api.ContainerEventResponse(
        container_id=of, container_event_type=kind, pod_sandbox_status=SANDBOX, containers_statuses=containers
    )
    found = event(message)
    assert (found.pod is not None) == shows_pod
    assert found.pod_uid == "uid1"


def test_an_event_that_names_no_pod() -> None:
    found = event(api.ContainerEventResponse(container_id="s1", container_event_type=DELETED))
    assert (found.pod, found.pod_uid) == (None, "")
