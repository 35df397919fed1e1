"""Events as lines, also of objects of which an event does not tell the name any more."""

from __future__ import annotations

from podwright.cli.commands.events import Lines
from podwright.cri.v1 import api_pb2 as api

CREATED, DELETED = api.CONTAINER_CREATED_EVENT, api.CONTAINER_DELETED_EVENT
POD = api.PodSandboxStatus(id="p" * 64, metadata=api.PodSandboxMetadata(name="web", namespace="default"))
MAIN = api.ContainerStatus(id="c" * 64, metadata=api.ContainerMetadata(name="main"))


def event(object_id: str, kind: int, *, known: bool = True) -> api.ContainerEventResponse:
    return api.ContainerEventResponse(
        container_id=object_id,
        container_event_type=kind,  # type: ignore[arg-type] # a number of the enum
        created_at=1_767_323_045_500_000_000,
        pod_sandbox_status=POD if known else None,
        containers_statuses=[MAIN] if known else [],
    )


def test_lines_name_containers_and_pods() -> None:
    lines = Lines()
    assert (
        lines.line(event(POD.id, CREATED)) == "2026-01-02T03:04:05.5Z          created  pod default/web  " + "p" * 13
    )
    assert lines.line(event(MAIN.id, CREATED)).split()[1:] == ["created", "container", "default/web/main", "c" * 13]


def test_a_deleted_object_keeps_the_name_that_an_earlier_event_told() -> None:
    lines = Lines()
    lines.line(event(MAIN.id, CREATED))
    assert "default/web/main" in lines.line(event(MAIN.id, DELETED, known=False))
    assert lines.line(event(MAIN.id, DELETED, known=False)).split()[2] == "?"


def test_a_kind_that_is_not_known_yet_is_its_number() -> None:
    assert Lines().line(event(POD.id, 77)).split()[1] == "77"
