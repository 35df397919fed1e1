"""Which events an API server gets."""

from __future__ import annotations

from podwright.agent.events.correlation import BURST, COMBINED, CorrelatedEvent, Correlator, Entry
from podwright.agent.events.log import EventSubject

WEB = EventSubject("uid-web", "default", "web", "")


def happen(
    correlator: Correlator,
    message: str = "text",
    *,
    at_s: float = 0,
    subject: EventSubject = WEB,
    reason: str = "Failed",
) -> Entry | None:
    return correlator.correlate(
        CorrelatedEvent(subject=subject, type="Warning", reason=reason, message=message, at_ns=int(at_s * 1e9) + 16)
    )


def test_the_same_event_is_counted() -> None:
    correlator = Correlator()
    first, second = happen(correlator), happen(correlator, at_s=5)
    assert first is not None
    assert second is not None
    assert (first.name, first.count) == ("web.10", 1)
    assert (second.name, second.count, second.first_ns) == ("web.10", 2, first.first_ns)


def test_other_containers_and_reasons_are_other_events() -> None:
    correlator = Correlator()
    container = EventSubject("uid-web", "default", "web", "spec.containers{main}")
    entries = [happen(correlator), happen(correlator, subject=container), happen(correlator, reason="BackOff")]
    assert [entry.count for entry in entries if entry is not None] == [1, 1, 1]


def test_an_event_that_the_server_has_lost_is_new() -> None:
    correlator = Correlator()
    first = happen(correlator)
    assert first is not None
    correlator.forget(first)
    again = happen(correlator, at_s=1)
    assert again is not None
    assert again.count == 1
    assert again.name != first.name


def test_many_messages_of_one_reason_become_one_event() -> None:
    correlator = Correlator()
    entries = [happen(correlator, f"text {number}") for number in range(12)]
    last = entries[-1]
    assert last is not None
    assert last.occurrence.message == f"{COMBINED}text 11"
    assert [entry.count for entry in entries if entry is not None] == [1] * 10 + [2, 3]


def test_messages_long_after_are_told_apart_again() -> None:
    correlator = Correlator()
    for number in range(12):
        happen(correlator, f"text {number}")
    entry = happen(correlator, "text later", at_s=700)
    assert entry is not None
    assert entry.occurrence.message == "text later"


def test_a_flood_is_cut_off_and_comes_back_slowly() -> None:
    correlator = Correlator()
    entries = [happen(correlator) for _ in range(BURST + 5)]
    assert [entry is not None for entry in entries] == [True] * BURST + [False] * 5
    assert happen(correlator, at_s=301) is not None
    assert happen(correlator, at_s=302) is None
    assert happen(correlator, subject=EventSubject("uid-other", "default", "other", "")) is not None
