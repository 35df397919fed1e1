"""The order in which pods' statuses are written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.status.turns import PARALLEL, PARALLEL_LATER, Turn, Turns


def _taken(turns: Turns) -> list[str]:
    """All turns that may begin now."""
    found = []
    while (turn := turns.take()) is not None:
        found.append(turn.uid)
    return found


def test_first_statuses_come_last_and_one_at_a_time() -> None:
    turns = Turns()
    for uid in ("new-1", "new-2"):
        turns.add(uid, later=True)
    turns.add("ready")
    assert _taken(turns) == ["ready", "new-1"]


def test_a_pod_that_becomes_ready_while_it_waits_goes_first() -> None:
    turns = Turns()
    for uid in ("new-1", "new-2"):
        turns.add(uid, later=True)
    turns.add("new-2")
    turns.add("new-2", later=True)
    assert _taken(turns) == ["new-2", "new-1"]


def test_a_change_during_a_turn_is_written_after_it() -> None:
    turns = Turns()
    turns.add("web")
    turn = turns.take()
    assert turn is not None
    turns.add("web")
    assert _taken(turns) == []
    turns.end(turn)
    assert _taken(turns) == ["web"]


@given(st.lists(st.tuples(st.sampled_from("abcdefghijklmnop"), st.booleans(), st.booleans())))
def test_no_pod_is_lost_or_written_twice_at_once(steps: list[tuple[str, bool, bool]]) -> None:
    turns = Turns()
    under_way: list[Turn] = []
    unwritten: set[str] = set()
    for uid, later, ends in steps:
        turns.add(uid, later=later)
        unwritten.add(uid)
        while (turn := turns.take()) is not None:
            assert turn.uid not in {other.uid for other in under_way}
            unwritten.remove(turn.uid)
            under_way.append(turn)
        assert len(under_way) <= PARALLEL
        assert sum(turn.later for turn in under_way) <= PARALLEL_LATER
        if ends and under_way:
            turns.end(under_way.pop(0))
    while under_way or unwritten:
        if (turn := turns.take()) is not None:
            unwritten.remove(turn.uid)
            under_way.append(turn)
        else:
            turns.end(under_way.pop(0))
    assert turns.take() is None
