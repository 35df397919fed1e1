"""Why containers could not be started."""

from __future__ import annotations

from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.status.failures import StartFailures
from podwright.agent.status.inputs import StartFailure


def failure(container: str = "main", message: str = "why") -> ContainerFailure:
    return ContainerFailure(container, "ErrImagePull", message)


def test_a_failure_stays_until_the_container_starts() -> None:
    failures = StartFailures()
    failures.note("uid", failure(message="first"))
    failures.note("uid", failure(message="second"))
    failures.note("uid", failure("other"))
    assert failures.of("uid", ["main", "absent"]) == {"main": StartFailure(reason="ErrImagePull", message="second")}
    assert failures.of("another", ["main"]) == {}
    failures.clear("uid", "main")
    failures.clear("uid", "main")
    assert set(failures.of("uid", ["main", "other"])) == {"other"}


def test_there_are_never_too_many() -> None:
    failures = StartFailures(limit=2)
    for uid in ("a", "b"):
        failures.note(uid, failure())
    failures.note("a", failure())
    failures.note("c", failure())
    assert [uid for uid in "abc" if failures.of(uid, ["main"])] == ["a", "c"]


def test_those_of_pods_that_are_gone_are_dropped() -> None:
    failures = StartFailures()
    failures.note("a", failure())
    failures.note("b", failure())
    failures.retain({"b"})
    assert [uid for uid in "ab" if failures.of(uid, ["main"])] == ["b"]
