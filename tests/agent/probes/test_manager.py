"""Probes over the life of a pod: when they run, what they decide, and when they stop. On virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from podwright.agent.pleg.cache import StatusCache
from podwright.agent.probes.attempt import Target
from podwright.agent.probes.manager import ProbeManager
from podwright.agent.probes.outcomes import ProbeKind, ProbeOutcome, ProbeResult
from podwright.agent.workers.ports import Probes
from podwright.k8s.objects import Container, ContainerStatus, ExecAction, Pod, PodStatus, Probe
from tests.agent.fakes.configs import container_config, sandbox_config
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual

UID = "uid1"
GOOD, BAD, UNKNOWN = ProbeResult.SUCCESS, ProbeResult.FAILURE, ProbeResult.UNKNOWN
LIVENESS, READINESS, STARTUP = ProbeKind.LIVENESS, ProbeKind.READINESS, ProbeKind.STARTUP


def probe(**numbers: Any) -> Probe:
    defaults = {"period_seconds": 10, "failure_threshold": 3, "success_threshold": 1, "timeout_seconds": 1}
    return Probe(exec=ExecAction(command=("check",)), **{**defaults, **numbers})


def probed(**fields: object) -> Container:
    return container("main", **fields)


class Scene:
    """A pod with one container in a fake runtime, and probes whose answers a test writes down."""

    def __init__(self, *containers: Container) -> None:
        self.clock = VirtualClock()
        self.runtime = FakeRuntime(self.clock)
        self.cache = StatusCache(self.runtime, self.clock, lambda _: None)
        self.pod = pod("web", uid=UID, containers=containers)
        self.answers: dict[ProbeKind, list[ProbeResult | None]] = {}
        self.runs: list[tuple[int, ProbeKind]] = []  # when, since the last start of the container
        self.outcomes: list[tuple[ProbeKind, ProbeResult]] = []
        self.targets: list[Target] = []
        self.forgotten: list[str] = []
        self.manager = self.new_manager()
        self.sandbox = ""
        self.started_at = 0.0

    def new_manager(self) -> ProbeManager:
        return ProbeManager(
            self, self.deliver, self.clock, look=self.cache.peek, host_ip=lambda: "192.0.2.1", spread=lambda: 0.5
        )

    @property
    def port(self) -> Probes:
        """As the passes for pods have it."""
        return self.manager

    def forget(self, pod: Pod) -> None:
        self.forgotten.append(pod.metadata.uid)

    async def run(self, kind: ProbeKind, probe: Probe, target: Target) -> ProbeResult | None:
        self.runs.append((round(self.clock.monotonic() - self.started_at), kind))
        self.targets.append(target)
        answers = self.answers.get(kind, [])
        return (answers.pop(0) if len(answers) > 1 else answers[0]) if answers else GOOD

    async def deliver(self, outcome: ProbeOutcome) -> None:
        self.outcomes.append((outcome.kind, outcome.finding))

    async def start(self, name: str = "main", attempt: int = 0) -> str:
        """A new instance runs, and the pod's worker has seen it."""
        if not self.sandbox:
            self.sandbox = await self.runtime.run_sandbox(sandbox_config(UID), "")
        config = container_config(name, UID, attempt=attempt)
        started = await self.runtime.create_container(self.sandbox, config, sandbox_config(UID))
        await self.runtime.start_container(started)
        self.started_at = self.clock.monotonic()
        await self.pass_over()
        return started

    async def pass_over(self) -> None:
        """What a pod worker's pass does."""
        await self.cache.look(UID)
        self.port.add(self.pod)
        await asyncio.sleep(0)

    def found(self, container_id: str, kind: ProbeKind) -> ProbeResult | None:
        return self.port.finding_of(container_id, kind)


@asynccontextmanager
async def closing(scene: Scene) -> AsyncIterator[Scene]:
    try:
        yield scene
    finally:
        await scene.manager.close()


def with_scene(check: Callable[[Scene], Awaitable[None]], **fields: object) -> None:
    async def run() -> None:
        async with closing(Scene(probed(**fields))) as scene:
            await check(scene)

    run_virtual(run())


def test_a_ready_container_is_known_at_once_and_asked_every_period() -> None:
    async def check(scene: Scene) -> None:
        started = await scene.start()
        assert scene.found(started, READINESS) is GOOD
        assert scene.outcomes == [(READINESS, GOOD)]
        await asyncio.sleep(25)
        assert scene.runs == [(0, READINESS), (10, READINESS), (20, READINESS)]
        assert scene.outcomes == [(READINESS, GOOD)]
        assert scene.targets[0].ip == "10.0.0.1"

    with_scene(check, readiness_probe=probe())


def test_nothing_runs_before_the_container_does() -> None:
    async def check(scene: Scene) -> None:
        await scene.pass_over()
        await asyncio.sleep(100)
        assert scene.runs == []

    with_scene(check, readiness_probe=probe(), liveness_probe=probe())


def test_the_initial_delay_counts_from_the_start() -> None:
    async def check(scene: Scene) -> None:
        started = await scene.start()
        assert scene.found(started, READINESS) is BAD
        await asyncio.sleep(38)
        assert scene.runs == [(15, READINESS), (20, READINESS), (25, READINESS), (30, READINESS), (35, READINESS)]

    with_scene(check, readiness_probe=probe(initial_delay_seconds=15, period_seconds=5))


def test_a_clock_that_is_set_back_does_not_put_a_probe_off() -> None:
    async def check(scene: Scene) -> None:
        await scene.cache.look(UID)
        started = scene.clock
        scene.sandbox = await scene.runtime.run_sandbox(sandbox_config(UID), "")
        made = await scene.runtime.create_container(scene.sandbox, container_config("main", UID), sandbox_config(UID))
        await scene.runtime.start_container(made)
        started.jump_s = -3600
        await scene.pass_over()
        await asyncio.sleep(16)
        assert [when for when, _ in scene.runs] == [15]

    with_scene(check, readiness_probe=probe(initial_delay_seconds=15))


@pytest.mark.parametrize(
    ("answers", "numbers", "outcomes"),
    [
        ([GOOD, BAD, BAD, BAD], {}, [GOOD, BAD]),
        ([GOOD, BAD, BAD, GOOD, BAD, BAD, GOOD], {}, [GOOD]),
        ([BAD, GOOD, BAD, GOOD, GOOD], {"success_threshold": 2}, [GOOD]),
        ([GOOD, BAD, GOOD], {"failure_threshold": 1}, [GOOD, BAD, GOOD]),
        ([GOOD, None, BAD, None, BAD, None, BAD], {}, [GOOD, BAD]),
    ],
    ids=["three failures", "never three in a row", "two successes", "one failure", "what was not learnt is no result"],
)
def test_thresholds_of_readiness(
    answers: list[ProbeResult | None], numbers: dict[str, int], outcomes: list[ProbeResult]
) -> None:
    async def check(scene: Scene) -> None:
        scene.answers[READINESS] = list(answers)
        await scene.start()
        await asyncio.sleep(10 * len(answers) - 5)
        assert [finding for _, finding in scene.outcomes] == outcomes

    with_scene(check, readiness_probe=probe(**numbers))


def test_a_liveness_failure_holds_until_the_next_instance() -> None:
    async def check(scene: Scene) -> None:
        scene.answers[LIVENESS] = [BAD]
        first = await scene.start()
        assert scene.found(first, LIVENESS) is GOOD
        await asyncio.sleep(100)
        assert [when for when, _ in scene.runs] == [0, 10, 20]
        assert scene.outcomes == [(LIVENESS, BAD)]
        assert scene.found(first, LIVENESS) is BAD
        await scene.runtime.end("main", 137)
        scene.answers[LIVENESS] = [GOOD]
        second = await scene.start(attempt=1)
        assert scene.found(first, LIVENESS) is None
        assert scene.found(second, LIVENESS) is GOOD
        await asyncio.sleep(35)
        assert [when for when, _ in scene.runs[3:]] == [0, 10, 20, 30]

    with_scene(check, liveness_probe=probe())


def test_the_others_wait_for_the_startup_probe_and_run_at_once_then() -> None:
    async def check(scene: Scene) -> None:
        scene.answers[STARTUP] = [BAD, BAD, GOOD]
        started = await scene.start()
        assert scene.found(started, STARTUP) is UNKNOWN
        assert scene.found(started, READINESS) is BAD
        await asyncio.sleep(5)
        assert scene.runs == [(0, STARTUP), (2, STARTUP), (4, STARTUP), (4, LIVENESS), (4, READINESS)]
        assert scene.outcomes == [(STARTUP, GOOD), (READINESS, GOOD)]
        await asyncio.sleep(20)
        assert STARTUP not in [kind for _, kind in scene.runs[3:]]

    with_scene(
        check,
        startup_probe=probe(period_seconds=2, failure_threshold=9),
        liveness_probe=probe(),
        readiness_probe=probe(),
    )


def test_a_startup_probe_that_fails_is_not_run_again() -> None:
    async def check(scene: Scene) -> None:
        scene.answers[STARTUP] = [BAD]
        started = await scene.start()
        await asyncio.sleep(100)
        assert scene.outcomes == [(STARTUP, BAD)]
        assert scene.found(started, STARTUP) is BAD
        assert scene.runs == [(0, STARTUP), (10, STARTUP), (20, STARTUP)]

    with_scene(check, startup_probe=probe(), liveness_probe=probe())


def test_what_has_ended_is_not_asked() -> None:
    async def check(scene: Scene) -> None:
        started = await scene.start()
        await scene.runtime.end("main", 0)
        await scene.cache.look(UID)  # nobody adds the pod again, as while it ends
        await asyncio.sleep(100)
        assert len(scene.runs) == 1
        assert scene.found(started, READINESS) is BAD

    with_scene(check, readiness_probe=probe())


def test_a_pod_that_ends_is_asked_for_readiness_alone() -> None:
    async def check(scene: Scene) -> None:
        scene.answers[LIVENESS] = [BAD]
        started = await scene.start()
        scene.manager.stop_liveness_and_startup(UID)
        await scene.pass_over()
        await asyncio.sleep(45)
        assert [kind for _, kind in scene.runs].count(LIVENESS) == 1
        assert [kind for _, kind in scene.runs].count(READINESS) == 5
        scene.manager.remove(UID)
        assert scene.forgotten == [UID]
        await asyncio.sleep(45)
        assert [kind for _, kind in scene.runs].count(READINESS) == 5
        assert scene.found(started, LIVENESS) is None
        assert scene.found(started, READINESS) is None

    with_scene(check, readiness_probe=probe(), liveness_probe=probe())


def test_pods_that_are_not_retained_are_removed() -> None:
    async def check(scene: Scene) -> None:
        started = await scene.start()
        scene.manager.retain([UID])
        assert scene.found(started, READINESS) is GOOD
        scene.manager.retain([])
        assert scene.found(started, READINESS) is None

    with_scene(check, readiness_probe=probe())


def shown(of: Pod, container_id: str, *, ready: bool, started: bool) -> Pod:
    """The pod with the status that an earlier agent wrote."""
    status = ContainerStatus(
        name="main",
        image="",
        image_id="",
        ready=ready,
        started=started,
        restart_count=0,
        container_id=f"fake://{container_id}",
    )
    return msgspec.structs.replace(of, status=PodStatus(container_statuses=(status,)))


@pytest.mark.parametrize("was_good", [True, False], ids=["ready before", "not ready before"])
def test_a_new_agent_keeps_what_the_one_before_found(was_good: bool) -> None:
    async def check(scene: Scene) -> None:
        started = await scene.start()
        await scene.manager.close()
        await asyncio.sleep(60)
        scene.runs, scene.outcomes, scene.started_at = [], [], scene.clock.monotonic()
        scene.answers = {STARTUP: [BAD], READINESS: [BAD]}
        scene.pod = shown(scene.pod, started, ready=was_good, started=True)
        scene.manager = scene.new_manager()
        await scene.pass_over()
        assert scene.found(started, STARTUP) is GOOD
        assert scene.found(started, READINESS) is (GOOD if was_good else None)
        await asyncio.sleep(26)
        # Spread over the period when it is known to be good (here by half of it), else at once. No startup probe.
        first = 5 if was_good else 0
        assert scene.runs == [(first, READINESS), (first + 10, READINESS), (first + 20, READINESS)]
        assert scene.outcomes == [(READINESS, BAD)]

    with_scene(check, readiness_probe=probe(), startup_probe=probe())


def test_a_container_that_had_just_started_is_new_to_a_new_agent() -> None:
    async def check(scene: Scene) -> None:
        started = await scene.start()
        await scene.manager.close()
        scene.answers = {READINESS: [BAD]}
        scene.pod = shown(scene.pod, started, ready=True, started=True)
        scene.manager = scene.new_manager()
        await scene.pass_over()
        assert scene.found(started, READINESS) is BAD

    with_scene(check, readiness_probe=probe())


def test_sidecars_are_probed_and_other_init_containers_are_not() -> None:
    async def run() -> None:
        sidecar = container("sidecar", restart_policy="Always", startup_probe=probe())
        scene = Scene(container("main"))
        scene.pod = pod("web", uid=UID, init_containers=(container("init", startup_probe=probe()), sidecar))
        async with closing(scene):
            await scene.start("init")
            assert scene.runs == []
            started = await scene.start("sidecar")
            assert scene.found(started, STARTUP) is GOOD
            assert scene.outcomes == [(STARTUP, GOOD)]

    run_virtual(run())


def test_a_pod_on_the_hosts_network_is_asked_at_the_nodes_address() -> None:
    async def check(scene: Scene) -> None:
        scene.pod = pod("web", uid=UID, containers=scene.pod.spec.containers, host_network=True)
        await scene.start()
        assert scene.targets[0].ip == "192.0.2.1"

    with_scene(check, readiness_probe=probe())


def test_a_prober_that_breaks_costs_one_run() -> None:
    async def check(scene: Scene) -> None:
        answers = scene.run

        async def broken(kind: ProbeKind, probe: Probe, target: Target) -> ProbeResult | None:
            scene.run = answers  # type: ignore[method-assign]
            raise RuntimeError("broken")

        scene.run = broken  # type: ignore[method-assign]
        await scene.start()
        assert scene.outcomes == []
        await asyncio.sleep(11)
        assert scene.outcomes == [(READINESS, GOOD)]

    with_scene(check, readiness_probe=probe())
