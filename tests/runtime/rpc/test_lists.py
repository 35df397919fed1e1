"""List replies from encoded records: the same as protobuf's own, and nothing is encoded twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from podwright.cri.v1 import api_pb2 as api
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.sandbox import SandboxState
from podwright.runtime.rpc import convert_container, convert_sandbox, lists
from podwright.runtime.rpc.lists import ListReplies
from tests.runtime.events.records import Stores, container, sandbox

TWINS = [
    (api.ListPodSandboxResponse, "items", api.StreamPodSandboxesResponse, "pod_sandboxes"),
    (api.ListContainersResponse, "containers", api.StreamContainersResponse, "containers"),
    (api.ListImagesResponse, "images", api.StreamImagesResponse, "images"),
]


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """Two pods with two containers each."""
    made = Stores(tmp_path)
    for pod in ("pod-a", "pod-b"):
        made.sandboxes.put(sandbox(key=pod, app=pod, tier="x"))
        made.containers.put(container(key=f"{pod}-1", inside=pod, app=pod))
        made.containers.put(container(ContainerState.EXITED, key=f"{pod}-2", inside=pod, app=pod))
    yield made
    made.database.close()


class Counted:
    """Replies about the containers of the stores, and how often one was encoded."""

    def __init__(self, stores: Stores) -> None:
        self.count = 0
        self.replies = ListReplies(lambda: stores.containers, lambda: stores.containers.generation, self._reply_of)

    def _reply_of(self, record: Container) -> api.ListContainersResponse:
        self.count += 1
        return api.ListContainersResponse(containers=[convert_container.item(record)])

    def ids(self, **wanted: Any) -> list[str]:
        """Of the containers that the filter lets through."""
        matcher = convert_container.matcher(api.ContainerFilter(**wanted))
        return [item.id for item in api.ListContainersResponse.FromString(self.replies.reply(matcher)).containers]


@pytest.mark.parametrize(("unary", "unary_field", "streamed", "streamed_field"), TWINS)
def test_twins_have_their_list_under_the_same_number(
    unary: Any, unary_field: str, streamed: Any, streamed_field: str
) -> None:
    ours, theirs = unary.DESCRIPTOR.fields_by_name, streamed.DESCRIPTOR.fields_by_name
    assert list(ours) == [unary_field]
    assert list(theirs) == [streamed_field]
    assert ours[unary_field].number == theirs[streamed_field].number
    assert ours[unary_field].message_type is theirs[streamed_field].message_type


def test_the_reply_is_protobufs_own(stores: Stores) -> None:
    items = [convert_container.item(record) for record in stores.containers]
    whole = Counted(stores).replies.reply(None)
    assert api.ListContainersResponse.FromString(whole) == api.ListContainersResponse(containers=items)


def test_only_what_changed_is_encoded(stores: Stores) -> None:
    counted = Counted(stores)
    assert counted.replies.reply(None) is counted.replies.reply(None)
    assert counted.count == 4
    stores.containers.put(container(ContainerState.EXITED, key="pod-a-1", inside="pod-a", app="pod-a"))
    assert counted.ids(state=api.ContainerStateValue(state=api.CONTAINER_RUNNING)) == ["pod-b-1"]
    assert counted.count == 5
    stores.containers.delete("pod-a-1")
    assert counted.ids() == ["pod-a-2", "pod-b-1", "pod-b-2"]
    assert counted.count == 5


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["pod-a-1", "pod-a-2", "pod-b-1", "pod-b-2"]),
        ({"id": "pod-a"}, ["pod-a-1", "pod-a-2"]),
        ({"id": "pod-a-1"}, ["pod-a-1"]),
        ({"id": "-1"}, []),
        ({"pod_sandbox_id": "pod-b"}, ["pod-b-1", "pod-b-2"]),
        ({"state": api.ContainerStateValue()}, []),  # state 0, CREATED, is a wish as any other
        ({"state": api.ContainerStateValue(state=api.CONTAINER_EXITED)}, ["pod-a-2", "pod-b-2"]),
        ({"label_selector": {"app": "pod-a"}}, ["pod-a-1", "pod-a-2"]),
        ({"label_selector": {"app": "pod-"}}, []),
        ({"label_selector": {"absent": ""}}, []),
        ({"pod_sandbox_id": "pod-a", "state": api.ContainerStateValue(state=api.CONTAINER_EXITED)}, ["pod-a-2"]),
    ],
)
def test_filters_of_containers(stores: Stores, wanted: dict[str, Any], expected: list[str]) -> None:
    assert Counted(stores).ids(**wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["pod-a", "pod-b", "pod-c"]),
        ({"id": "pod-b"}, ["pod-b"]),
        ({"state": api.PodSandboxStateValue()}, ["pod-a", "pod-b"]),
        ({"state": api.PodSandboxStateValue(state=api.SANDBOX_NOTREADY)}, ["pod-c"]),
        ({"label_selector": {"tier": "x"}}, ["pod-a", "pod-b"]),
        ({"label_selector": {"tier": "x", "app": "pod-a"}}, ["pod-a"]),
    ],
)
def test_filters_of_sandboxes(stores: Stores, wanted: dict[str, Any], expected: list[str]) -> None:
    stores.sandboxes.put(sandbox(SandboxState.STOPPING, key="pod-c"))
    matcher = convert_sandbox.matcher(api.PodSandboxFilter(**wanted))
    assert [record.id for record in stores.sandboxes if matcher is None or matcher(record)] == expected


async def _batches(counted: Counted) -> list[list[str]]:
    return [
        [item.id for item in api.StreamContainersResponse.FromString(batch).containers]
        async for batch in counted.replies.batches(None)
    ]


@pytest.mark.parametrize(
    ("limit", "value", "expected"),
    [
        ("BATCH_ITEMS", 3, [["pod-a-1", "pod-a-2", "pod-b-1"], ["pod-b-2"]]),
        ("BATCH_ITEMS", 4, [["pod-a-1", "pod-a-2", "pod-b-1", "pod-b-2"]]),
        ("BATCH_BYTES", 1, [["pod-a-1"], ["pod-a-2"], ["pod-b-1"], ["pod-b-2"]]),  # one is sent, however large
    ],
)
async def test_batches_are_bounded(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, expected: list[list[str]]
) -> None:
    monkeypatch.setattr(lists, limit, value)
    assert await _batches(Counted(stores)) == expected


async def test_a_stream_shows_what_there_was_at_the_call(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "BATCH_ITEMS", 1)
    batches = Counted(stores).replies.batches(None)
    seen = [await anext(batches)]
    for record in stores.containers:
        stores.containers.delete(record.id)
    seen += [batch async for batch in batches]
    assert len(seen) == 4
    assert await _batches(Counted(stores)) == []
