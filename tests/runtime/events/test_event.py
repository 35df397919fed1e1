"""Which events a changed record means: every arrow of the two state diagrams."""

from __future__ import annotations

import pytest

from podwright.runtime.events import EventKind
from podwright.runtime.events.event import ENTERED, HIDDEN, Record, kinds
from podwright.runtime.model.container import ContainerState
from podwright.runtime.model.sandbox import SandboxState
from tests.runtime.events.records import container, sandbox

S, C = SandboxState, ContainerState
CREATED, STARTED, STOPPED, DELETED = EventKind
ARROWS: list[tuple[Record | None, Record | None, list[EventKind]]] = [
    (None, sandbox(S.CREATING), []),
    (sandbox(S.CREATING), sandbox(S.CREATING, key="s1"), []),
    (sandbox(S.CREATING), sandbox(S.READY), [CREATED, STARTED]),
    (sandbox(S.CREATING), sandbox(S.NOTREADY), [CREATED, STOPPED]),  # what could not be undone
    (sandbox(S.CREATING), None, []),
    (sandbox(S.READY), sandbox(S.READY, new="label"), []),
    (sandbox(S.READY), sandbox(S.STOPPING), []),
    (sandbox(S.READY), sandbox(S.NOTREADY), [STOPPED]),
    (sandbox(S.STOPPING), sandbox(S.NOTREADY), [STOPPED]),
    (sandbox(S.NOTREADY), sandbox(S.READY), [STARTED]),
    (sandbox(S.NOTREADY), None, [DELETED]),
    (None, container(C.CREATING), []),
    (container(C.CREATING), container(C.CREATED), [CREATED]),
    (container(C.CREATING), None, []),
    (container(C.CREATED), container(C.RUNNING), [STARTED]),
    (container(C.CREATED), container(C.CREATED, new="label"), []),
    (container(C.CREATED), container(C.EXITED), [STOPPED]),  # a start that failed
    (container(C.CREATED), None, [DELETED]),
    (container(C.RUNNING), container(C.RUNNING, new="label"), []),
    (container(C.RUNNING), container(C.EXITED), [STOPPED]),
    (container(C.EXITED), None, [DELETED]),
]


def _name(record: Record | None) -> str:
    return f"{type(record).__name__}-{record.state}" if record else "none"


@pytest.mark.parametrize(
    ("before", "after", "expected"), ARROWS, ids=[f"{_name(old)}->{_name(new)}" for old, new, _ in ARROWS]
)
def test_arrow(before: Record | None, after: Record | None, expected: list[EventKind]) -> None:
    assert list(kinds(before, after)) == expected


def test_every_state_has_a_meaning() -> None:
    assert {*ENTERED, *HIDDEN} == {*SandboxState, *ContainerState}
