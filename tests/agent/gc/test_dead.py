"""Which dead containers and sandboxes go: a table for every rule."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from podwright.agent.gc.dead import (
    DeadContainerLimits,
    dead_containers,
    dead_instances,
    dead_sandboxes,
    uid_of_log_directory,
)
from podwright.agent.runtime.records import ContainerSummary, CriContainerState, CriSandboxState, SandboxSummary
from tests.agent.fakes.observed import exited, running

EXITED, RUNNING, CREATED = CriContainerState.EXITED, CriContainerState.RUNNING, CriContainerState.CREATED
SECOND = 10**9


def made(id_: str, state: CriContainerState = EXITED) -> ContainerSummary:
    """`pod/name/attempt`, made at second `attempt`."""
    uid, name, attempt = id_.split("/")
    return ContainerSummary(
        id=id_,
        pod_uid=uid,
        pod_name=uid,
        pod_namespace="default",
        sandbox_id="",
        name=name,
        attempt=int(attempt),
        state=state,
        created_at_ns=int(attempt) * SECOND,
        image="",
        image_id="",
    )


@pytest.mark.parametrize(
    ("containers", "kept", "removed"),
    [
        (["a/x/1", "a/x/2", "a/x/3", "a/y/1"], DeadContainerLimits(), ["a/x/1", "a/x/2"]),
        (["a/x/1", "a/x/2", "a/x/3"], DeadContainerLimits(per_container=0), ["a/x/1", "a/x/2", "a/x/3"]),
        (["a/x/1", "a/x/2", "a/x/3"], DeadContainerLimits(per_container=-1), []),
        (["gone/x/1", "gone/x/2", "a/x/1"], DeadContainerLimits(), ["gone/x/1", "gone/x/2"]),
        (["gone/x/95", "a/x/94", "a/x/1", "a/x/2"], DeadContainerLimits(min_age_s=10), ["a/x/1"]),
        (["a/x/1", "b/x/2", "c/x/3"], DeadContainerLimits(total=2), ["a/x/1"]),
        (["a/x/1", "a/x/2", "a/x/3", "b/x/1"], DeadContainerLimits(per_container=-1, total=2), ["a/x/1", "a/x/2"]),
        (["a/x/1", "a/x/2", "b/x/3", "b/x/4"], DeadContainerLimits(per_container=-1, total=3), ["a/x/1", "b/x/3"]),
    ],
    ids=[
        "the newest of each container stays",
        "nothing stays",
        "everything stays",
        "a pod that is gone",
        "the young ones",
        "in all, the oldest first",
        "in all, a share for each",
        "in all, equal shares",
    ],
)
def test_containers(containers: list[str], kept: DeadContainerLimits, removed: list[str]) -> None:
    chosen = dead_containers(map(made, containers), kept, 100 * SECOND, lambda uid: uid == "gone")
    assert sorted(each.id for each in chosen) == removed


def test_the_clock_was_set_back() -> None:
    """What was created in the future is old, and a higher attempt is newer than a later time."""
    future = replace(made("a/x/1"), created_at_ns=200 * SECOND)
    chosen = dead_containers(
        [future, made("a/x/2")], DeadContainerLimits(min_age_s=10), 100 * SECOND, lambda uid: False
    )
    assert [each.id for each in chosen] == ["a/x/1"]


def test_what_runs_stays_and_counts_for_nothing() -> None:
    containers = [made("a/x/3", RUNNING), made("a/x/2"), made("a/x/1"), made("gone/x/1", RUNNING)]
    chosen = dead_containers(containers, DeadContainerLimits(), 100 * SECOND, lambda uid: uid == "gone")
    assert [each.id for each in chosen] == ["a/x/1"]


def test_instances_of_one_pod() -> None:
    statuses = [running(attempt=3), exited(attempt=2), exited(attempt=1), exited("other", attempt=0)]
    assert [each.id for each in dead_instances(statuses, 1)] == ["main-1"]
    assert [each.id for each in dead_instances(statuses, 0)] == ["main-2", "main-1", "other-0"]
    assert dead_instances(statuses, -1) == []


def sandbox(uid: str, attempt: int, *, ready: bool = False) -> SandboxSummary:
    return SandboxSummary(
        id=f"{uid}{attempt}",
        pod_uid=uid,
        pod_name=uid,
        pod_namespace="default",
        attempt=attempt,
        state=CriSandboxState.READY if ready else CriSandboxState.NOTREADY,
        created_at_ns=attempt,
    )


def test_sandboxes() -> None:
    sandboxes = [
        *(sandbox("a", attempt) for attempt in range(3)),
        *(sandbox("gone", attempt) for attempt in range(2)),
        sandbox("gone", 2, ready=True),
        sandbox("b", 0),
        sandbox("b", 1, ready=True),
    ]
    chosen = dead_sandboxes(sandboxes, {"a0", "gone0"}, lambda uid: uid == "gone")
    assert sorted(each.id for each in chosen) == ["a1", "b0", "gone1"]


@pytest.mark.parametrize(
    ("name", "uid"),
    [("default_web_1234", "1234"), ("lost+found", ""), ("a_b", ""), ("a_b_c_d", ""), ("a_b_", ""), ("_b_c", "")],
)
def test_log_directories(name: str, uid: str) -> None:
    assert uid_of_log_directory(name) == uid
