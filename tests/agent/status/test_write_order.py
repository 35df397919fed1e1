"""The order in which pods' statuses are written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.status.write_order import PARALLEL, PARALLEL_LATER, WriteOrder, WriteTurn


def _taken(order: WriteOrder) -> list[str]:
    """All order that may begin now."""
    found = []
    while (turn := order.take()) is not None:
        found.append(turn.uid)
    return found


def test_first_statuses_come_last_and_one_at_a_time() -> None:
    order = WriteOrder()
    for uid in ("new-1", "new-2"):
        order.add(uid, later=True)
    order.add("ready")
    assert _taken(order) == ["ready", "new-1"]


def test_a_pod_that_becomes_ready_while_it_waits_goes_first() -> None:
    order = WriteOrder()
    for uid in ("new-1", "new-2"):
        order.add(uid, later=True)
    order.add("new-2")
    order.add("new-2", later=True)
    assert _taken(order) == ["new-2", "new-1"]


def test_a_change_during_a_turn_is_written_after_it() -> None:
    order = WriteOrder()
    order.add("web")
    turn = order.take()
    assert turn is not None
    order.add("web")
    assert _taken(order) == []
    order.end(turn)
    assert _taken(order) == ["web"]


@given(st.lists(st.tuples(st.sampled_from("abcdefghijklmnop"), st.booleans(), st.booleans())))
def test_no_pod_is_lost_or_written_twice_at_once(steps: list[tuple[str, bool, bool]]) -> None:
    order = WriteOrder()
    under_way: list[WriteTurn] = []
    unwritten: set[str] = set()
    for uid, later, ends in steps:
        order.add(uid, later=later)
        unwritten.add(uid)
        while (turn := order.take()) is not None:
            assert turn.uid not in {other.uid for other in under_way}
            unwritten.remove(turn.uid)
            under_way.append(turn)
        assert len(under_way) <= PARALLEL
        assert sum(turn.later for turn in under_way) <= PARALLEL_LATER
        if ends and under_way:
            order.end(under_way.pop(0))
    while under_way or unwritten:
        if (turn := order.take()) is not None:
            unwritten.remove(turn.uid)
            under_way.append(turn)
        else:
            order.end(under_way.pop(0))
    assert order.take() is None
