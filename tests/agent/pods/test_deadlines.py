"""How long pods may be active."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from podwright.agent.pods.deadlines import has_passed_deadline
from podwright.k8s.objects import PodStatus
from tests.agent.fakes.pods import pod

START = datetime(2026, 3, 1, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9
LIMITED = pod(active_deadline_seconds=10)


@pytest.mark.parametrize(
    ("phase", "after_s", "expected"),
    [
        ("Running", 9, False),
        ("Running", 10, True),
        ("Pending", 11, True),
        ("Failed", 11, False),
        ("Succeeded", 11, False),
    ],
)
def test_a_pod_that_has_not_ended_in_time(phase: str, after_s: int, expected: bool) -> None:
    status = PodStatus(phase=phase, start_time=START)
    assert has_passed_deadline(LIMITED, status, START_NS + after_s * 10**9) is expected


def test_a_pod_without_a_limit_or_a_beginning_has_all_time() -> None:
    assert not has_passed_deadline(pod(), PodStatus(start_time=START), START_NS * 2)
    assert not has_passed_deadline(LIMITED, PodStatus(), START_NS * 2)
    assert not has_passed_deadline(LIMITED, None, START_NS * 2)
