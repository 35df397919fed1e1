"""Which events lead from one look to the next."""

from __future__ import annotations

import pytest

from podwright.agent.pleg.changes import PodEvent, PodEventKind, Stage, changes

R, E, C = Stage.RUNNING, Stage.EXITED, Stage.OTHER


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        pytest.param({}, {}, [], id="nothing"),
        pytest.param({}, {"c": R}, [("started", "c")], id="new and running"),
        pytest.param({}, {"c": E}, [("died", "c")], id="new and exited"),
        pytest.param({}, {"c": C}, [("changed", "c")], id="created"),
        pytest.param({"c": C}, {"c": R}, [("started", "c")], id="created to running"),
        pytest.param({"c": R}, {"c": R}, [], id="the same"),
        pytest.param({"c": R}, {"c": E}, [("died", "c")], id="exits"),
        pytest.param({"c": E}, {}, [("removed", "c")], id="removed after its exit"),
        pytest.param({"c": R}, {}, [("died", "c"), ("removed", "c")], id="vanishes"),
        pytest.param({"c": C}, {}, [("died", "c"), ("removed", "c")], id="vanishes before it runs"),
        pytest.param({"s": R, "c": R}, {"s": E, "c": R}, [("died", "s")], id="the sandbox alone"),
    ],
)
def test_changes(before: dict[str, Stage], after: dict[str, Stage], events: list[tuple[str, str]]) -> None:
    expected = [PodEvent(pod_uid="uid", kind=PodEventKind(kind), id=of) for kind, of in events]
    assert changes("uid", before, after) == expected
