"""Which pods end for a critical one, and what becomes of it meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from podwright.agent.admission.fit import Shortage
from podwright.agent.admission.victims import may_preempt, victims
from podwright.agent.metrics.admission import AdmissionMetrics
from podwright.agent.preemption import Preemptor
from podwright.agent.workers.ending import Cause
from podwright.errors import ResourceExhausted
from podwright.k8s.objects import Pod, ResourceRequirements
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.time import run_virtual

CRITICAL = pod("critical", priority=2_000_000_000)


def using(name: str, cpu: str = "", memory: str = "", *, guaranteed: bool = False, priority: int | None = None) -> Pod:
    amounts = {key: text for key, text in (("cpu", cpu), ("memory", memory)) if text}
    resources = ResourceRequirements(requests=amounts, limits=amounts if guaranteed else {})
    return pod(name, containers=(container(resources=resources),), priority=priority)


BEST_EFFORT = using("best-effort")
SMALL, MIDDLE, LARGE = (using(f"burstable-{cpu}", cpu) for cpu in ("100m", "200m", "300m"))
GUARANTEED = using("guaranteed", "500m", "1Gi", guaranteed=True)
LEAN = using("lean", "300m", "1Mi")


@pytest.mark.parametrize(
    ("needs", "others", "expected"),
    [
        ({"cpu": 100}, [SMALL, LARGE], ["burstable-100m"]),
        ({"cpu": 200}, [SMALL, MIDDLE, LARGE], ["burstable-200m"]),
        ({"cpu": 350}, [SMALL, MIDDLE, LARGE], ["burstable-300m", "burstable-100m"]),
        ({"cpu": 100}, [GUARANTEED, SMALL], ["burstable-100m"]),
        ({"cpu": 700}, [GUARANTEED, SMALL, MIDDLE], ["burstable-200m", "guaranteed"]),
        ({"cpu": 300}, [LEAN, LARGE], ["burstable-300m"]),  # as good, and it requests less memory
        ({"pods": 1}, [GUARANTEED, SMALL, BEST_EFFORT], ["best-effort"]),
        ({"cpu": 100, "memory": 1 << 20}, [SMALL, LEAN], ["lean"]),
    ],
)
def test_victims(needs: dict[str, int], others: list[Pod], expected: list[str]) -> None:
    assert [each.metadata.name for each in victims(CRITICAL, others, needs)] == expected


def test_not_enough_is_said_as_the_kubelet_does() -> None:
    with pytest.raises(ResourceExhausted, match=r"reclaim resources: \[\(res: cpu, q: 400\), \]"):
        victims(CRITICAL, [SMALL, pod("static", source="file")], {"cpu": 500})


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        (CRITICAL, SMALL, True),
        (CRITICAL, pod(source="file"), False),
        (pod(priority=2_000_001_000), pod(priority=2_000_000_000), True),
        (pod(priority=2_000_000_000), pod(priority=2_000_000_000), False),
        (pod(), SMALL, False),
    ],
)
def test_who_may_preempt_whom(one: Pod, other: Pod, may: bool) -> None:
    assert may_preempt(one, other) is may


class SlowEnder:
    """Ends a pod when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Cause]] = []
        self.go = asyncio.Event()

    async def end(self, pod: Pod, cause: Cause, grace_s: int | None = None) -> bool:
        self.asked.append((pod.metadata.name, cause))
        await self.go.wait()
        return True


def test_the_critical_pod_waits_for_the_end_of_the_others() -> None:
    async def check() -> None:
        ender, events, metrics, ready = SlowEnder(), RecordedEvents(), AdmissionMetrics(), list[str]()
        preemptor = Preemptor(ender, ready.extend, events, metrics)
        short = [Shortage(resource="cpu", requested=1000, used=900, capacity=1000)]
        assert preemptor.make_room(CRITICAL, [SMALL, pod("static", source="file")], short).startswith("preemption:")
        assert preemptor.make_room(CRITICAL, [SMALL, MIDDLE, LARGE, GUARANTEED, using("big", "1")], short) == ""
        await asyncio.sleep(1)
        assert not preemptor.may_begin("uid-critical")
        assert preemptor.may_begin("uid-other")
        [(name, cause)] = ender.asked
        assert name == "big"
        assert (cause.reason, cause.evicts) == ("Preempting", True)
        ender.go.set()
        await asyncio.sleep(1)
        assert preemptor.may_begin("uid-critical")
        assert ready == ["uid-critical"]
        assert events.seen == [("big", "Preempting", "Preempted in order to admit critical pod")]
        assert metrics.preemptions.value("cpu") == 1
        await preemptor.close()

    run_virtual(check())
