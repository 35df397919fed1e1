"""Every rule of what to do next for a pod."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from podwright.agent.decisions.actions import PodActions, compute_pod_actions
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.runtime.records import ObservedPod
from podwright.k8s.objects import (
    Container,
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    EphemeralContainer,
    Pod,
    Probe,
)
from tests.agent.fakes.observed import created, exited, observed, running, sandbox, unknown
from tests.agent.fakes.pods import container, pod

Findings = dict[tuple[str, ProbeKind], ProbeResult]


def actions(of: Pod, seen: ObservedPod, findings: Findings | None = None) -> PodActions:
    known = findings or {}
    return compute_pod_actions(of, seen, lambda container_id, kind: known.get((container_id, kind)))


def summary(found: PodActions) -> dict[str, Any]:
    """The fields that say something, by name."""
    fields = {
        "kill_pod": found.kill_pod,
        "create": found.attempt if found.create_sandbox else None,
        "ephemeral": list(found.start_ephemeral),
        "init": list(found.start_init),
        "start": list(found.start),
        "kill": [kill.status.id for kill in found.kill],
        "all": found.restart_all,
    }
    return {name: value for name, value in fields.items() if value or (name == "create" and value is not None)}


A, B = container("a"), container("b")
TWO = (A, B)
NOTHING_SEEN = observed(sandboxes=())
LOST = (sandbox(0, ready=False),)


@pytest.mark.parametrize(
    ("of", "seen", "expected"),
    [
        pytest.param(pod(), NOTHING_SEEN, {"kill_pod": True, "create": 0, "start": ["main"]}, id="nothing is there"),
        pytest.param(pod(), observed(running()), {}, id="all is well"),
        pytest.param(
            pod(),
            observed(exited(exit_code=137), sandboxes=LOST),
            {"kill_pod": True, "create": 1, "start": ["main"]},
            id="the sandbox is lost",
        ),
        pytest.param(
            pod(),
            observed(running(), sandboxes=(sandbox(1), sandbox(0))),
            {"kill_pod": True, "create": 2, "start": ["main"]},
            id="two sandboxes are ready",
        ),
        pytest.param(
            pod(),
            observed(running(), sandboxes=(sandbox(1), sandbox(0, ready=False))),
            {},
            id="an old sandbox is there",
        ),
        pytest.param(
            pod(),
            observed(running(), sandboxes=(sandbox(0, host_network=True, ips=()),)),
            {"kill_pod": True, "create": 1, "start": ["main"]},
            id="the sandbox is on the host's network",
        ),
        pytest.param(
            pod(host_network=True),
            observed(running(), sandboxes=(sandbox(0, host_network=True, ips=()),)),
            {},
            id="a pod on the host's network has no address",
        ),
        pytest.param(
            pod(),
            observed(running(), sandboxes=(sandbox(0, ips=()),)),
            {"kill_pod": True, "create": 1, "start": ["main"]},
            id="the sandbox has no address",
        ),
        pytest.param(
            pod(restart_policy="Never"),
            observed(exited(exit_code=137), sandboxes=LOST),
            {"kill_pod": True},
            id="Never: no new sandbox after a lost one",
        ),
        pytest.param(
            pod(restart_policy="Never"),
            observed(sandboxes=LOST),
            {"kill_pod": True, "create": 1, "start": ["main"]},
            id="Never: the sandbox was lost before anything ran",
        ),
        pytest.param(
            pod(restart_policy="Never", init_containers=(container("side", restart_policy="Always"),)),
            observed(exited("side", 137), sandboxes=LOST),
            {"kill_pod": True, "create": 1, "init": ["side"]},
            id="Never: the sandbox was lost before the pod was initialized",
        ),
        pytest.param(
            pod(restart_policy="Never", containers=TWO),
            observed(exited("a", 137), created("b"), sandboxes=LOST),
            {"kill_pod": True, "create": 1, "start": ["b"]},
            id="Never: what has not run yet runs in the new sandbox",
        ),
        pytest.param(
            pod(restart_policy="OnFailure"),
            observed(exited(exit_code=0), sandboxes=LOST),
            {"kill_pod": True},
            id="OnFailure: all have succeeded",
        ),
        pytest.param(
            pod(restart_policy="OnFailure", containers=TWO),
            observed(exited("a"), exited("b", 1), sandboxes=LOST),
            {"kill_pod": True, "create": 1, "start": ["b"]},
            id="OnFailure: only what has failed runs again",
        ),
        pytest.param(
            pod(init_containers=(container("i1"), container("i2"))),
            NOTHING_SEEN,
            {"kill_pod": True, "create": 0, "init": ["i1"]},
            id="the first init container comes first",
        ),
        pytest.param(
            pod(init_containers=(container("i1"),)),
            observed(exited("i1"), exited("main", 1), sandboxes=LOST),
            {"kill_pod": True, "create": 1, "init": ["i1"]},
            id="init containers run again in a new sandbox",
        ),
    ],
)
def test_sandboxes(of: Pod, seen: ObservedPod, expected: dict[str, Any]) -> None:
    assert summary(actions(of, seen)) == expected


CHANGED = container("main", image="registry.example/app:0")
DELETED = datetime(2026, 1, 1, tzinfo=UTC)


def rule(action: str, *values: int, operator: str = "In") -> ContainerRestartRule:
    codes = ContainerRestartRuleOnExitCodes(operator=operator, values=values)
    return ContainerRestartRule(action=action, exit_codes=codes)


@pytest.mark.parametrize(
    ("of", "seen", "expected"),
    [
        pytest.param(pod(), observed(), {"start": ["main"]}, id="never started"),
        pytest.param(pod(), observed(exited()), {"start": ["main"]}, id="Always, 0"),
        pytest.param(pod(), observed(exited(exit_code=1)), {"start": ["main"]}, id="Always, 1"),
        pytest.param(pod(restart_policy="OnFailure"), observed(exited()), {"kill_pod": True}, id="OnFailure, 0"),
        pytest.param(
            pod(restart_policy="OnFailure"), observed(exited(exit_code=1)), {"start": ["main"]}, id="OnFailure, 1"
        ),
        pytest.param(pod(restart_policy="Never"), observed(exited(exit_code=1)), {"kill_pod": True}, id="Never, 1"),
        pytest.param(
            pod(restart_policy="Never", containers=TWO),
            observed(running("a"), exited("b", 1)),
            {},
            id="Never: the others run on",
        ),
        pytest.param(pod(), observed(created()), {"start": ["main"]}, id="created and never started"),
        pytest.param(pod(), observed(unknown()), {"start": ["main"], "kill": ["main-0"]}, id="unknown"),
        pytest.param(
            pod(), observed(running(of=CHANGED)), {"start": ["main"], "kill": ["main-0"]}, id="another image"
        ),
        pytest.param(
            pod(restart_policy="Never"),
            observed(running(of=CHANGED)),
            {"start": ["main"], "kill": ["main-0"]},
            id="another image, Never",
        ),
        pytest.param(pod(deleted=DELETED), observed(exited(exit_code=1)), {"kill_pod": True}, id="a deleted pod"),
        pytest.param(
            pod(restart_policy="Never", containers=(container("main", restart_policy="Always"),)),
            observed(exited(exit_code=1)),
            {"start": ["main"]},
            id="the container's own policy",
        ),
        pytest.param(
            pod(containers=(container("main", restart_policy="Never"),)),
            observed(exited(exit_code=1)),
            {"kill_pod": True},
            id="the container's own policy: Never",
        ),
        pytest.param(
            pod(containers=(container("main", restart_policy="Never", restart_policy_rules=(rule("Restart", 42),)),)),
            observed(exited(exit_code=42)),
            {"start": ["main"]},
            id="a rule matches",
        ),
        pytest.param(
            pod(containers=(container("main", restart_policy="Never", restart_policy_rules=(rule("Restart", 42),)),)),
            observed(exited(exit_code=1)),
            {"kill_pod": True},
            id="no rule matches",
        ),
        pytest.param(
            pod(
                containers=(
                    container(
                        "main", restart_policy="Never", restart_policy_rules=(rule("Restart", 42, operator="NotIn"),)
                    ),
                )
            ),
            observed(exited(exit_code=1)),
            {"start": ["main"]},
            id="NotIn",
        ),
        pytest.param(
            pod(
                containers=(
                    container("a", restart_policy="Never", restart_policy_rules=(rule("RestartAllContainers", 7),)),
                    B,
                )
            ),
            observed(exited("a", 7), running("b")),
            {"all": "a"},
            id="all containers restart",
        ),
    ],
)
def test_regular_containers(of: Pod, seen: ObservedPod, expected: dict[str, Any]) -> None:
    assert summary(actions(of, seen)) == expected


@pytest.mark.parametrize("kind", [ProbeKind.LIVENESS, ProbeKind.STARTUP])
@pytest.mark.parametrize(
    ("policy", "expected"),
    [("Always", {"start": ["main"], "kill": ["main-0"]}), ("Never", {"kill": ["main-0"], "kill_pod": True})],
)
def test_a_failed_probe(kind: ProbeKind, policy: str, expected: dict[str, Any]) -> None:
    found = actions(pod(restart_policy=policy), observed(running()), {("main-0", kind): ProbeResult.FAILURE})
    assert summary(found) == expected
    assert found.kill[0].probe is kind


def test_a_failed_readiness_probe_restarts_nothing() -> None:
    found = actions(pod(), observed(running()), {("main-0", ProbeKind.READINESS): ProbeResult.FAILURE})
    assert summary(found) == {}


PROBE = Probe(period_seconds=10)
I1, I2 = container("i1"), container("i2")
S1 = container("s1", restart_policy="Always")
S2 = container("s2", restart_policy="Always", startup_probe=PROBE, liveness_probe=PROBE)


def with_init(*init: Container, **spec: Any) -> Pod:
    return pod(init_containers=init, **spec)


STARTED: Findings = {("s2-0", ProbeKind.STARTUP): ProbeResult.SUCCESS}


@pytest.mark.parametrize(
    ("of", "seen", "findings", "expected"),
    [
        pytest.param(with_init(I1, I2), observed(), {}, {"init": ["i1"]}, id="the first one starts"),
        pytest.param(with_init(I1, I2), observed(running("i1")), {}, {}, id="it runs"),
        pytest.param(with_init(I1, I2), observed(exited("i1")), {}, {"init": ["i2"]}, id="the next one starts"),
        pytest.param(with_init(I1, I2), observed(exited("i2")), {}, {"start": ["main"]}, id="older ones were removed"),
        pytest.param(
            with_init(I1, I2), observed(exited("i1"), exited("i2")), {}, {"start": ["main"]}, id="all have ended well"
        ),
        pytest.param(with_init(I1), observed(exited("i1", 1)), {}, {"init": ["i1"]}, id="one that fails starts again"),
        pytest.param(
            with_init(I1, restart_policy="Never"),
            observed(exited("i1", 1)),
            {},
            {"kill_pod": True},
            id="one that fails ends the pod",
        ),
        pytest.param(with_init(I1), observed(created("i1")), {}, {"init": ["i1"]}, id="one that could not start"),
        pytest.param(
            with_init(I1, restart_policy="Never"),
            observed(created("i1")),
            {},
            {"init": ["i1"]},
            id="one that was never started has not had its turn",
        ),
        pytest.param(
            with_init(I1), observed(unknown("i1")), {}, {"init": ["i1"], "kill": ["i1-0"]}, id="one that is lost"
        ),
        pytest.param(
            with_init(I1, restart_policy="Never"),
            observed(unknown("i1")),
            {},
            {"kill_pod": True},
            id="one that is lost ends the pod",
        ),
        pytest.param(
            with_init(I1), observed(running("main")), {}, {}, id="a container runs, so the pod is initialized"
        ),
        pytest.param(with_init(S1, I2), observed(), {}, {"init": ["s1"]}, id="a sidecar starts first"),
        pytest.param(
            with_init(S1, I2),
            observed(running("s1")),
            {},
            {"init": ["i2"]},
            id="a sidecar that runs lets the next start",
        ),
        pytest.param(with_init(S1), observed(running("s1")), {}, {"start": ["main"]}, id="the last one is a sidecar"),
        pytest.param(with_init(S2), observed(running("s2")), {}, {}, id="a sidecar's startup probe is waited for"),
        pytest.param(with_init(S2), observed(running("s2")), STARTED, {"start": ["main"]}, id="it has succeeded"),
        pytest.param(
            with_init(S2),
            observed(running("s2")),
            {("s2-0", ProbeKind.STARTUP): ProbeResult.FAILURE},
            {"init": ["s2"], "kill": ["s2-0"]},
            id="it has failed",
        ),
        pytest.param(
            with_init(S2),
            observed(running("s2"), running("main")),
            {**STARTED, ("s2-0", ProbeKind.LIVENESS): ProbeResult.FAILURE},
            {"init": ["s2"], "kill": ["s2-0"]},
            id="a sidecar is not alive",
        ),
        pytest.param(
            with_init(S1),
            observed(exited("s1", 1), running("main")),
            {},
            {"init": ["s1"]},
            id="a sidecar that ends starts again",
        ),
        pytest.param(
            with_init(S1, restart_policy="Never"),
            observed(exited("s1", 0), running("main")),
            {},
            {"init": ["s1"]},
            id="a sidecar that ends starts again, whatever the pod's policy",
        ),
        pytest.param(
            with_init(S1, I2),
            observed(exited("s1", 1), running("i2")),
            {},
            {"init": ["s1"]},
            id="a sidecar that ends starts again while a later one runs",
        ),
        pytest.param(
            with_init(S1, I2),
            observed(exited("i2"), running("s1")),
            {},
            {"start": ["main"]},
            id="the pod is initialized, its sidecar runs on",
        ),
        pytest.param(
            with_init(S1, restart_policy="Never"),
            observed(running("s1"), exited("main")),
            {},
            {"kill_pod": True},
            id="a sidecar does not keep a pod alive",
        ),
        pytest.param(
            with_init(S1, restart_policy="Never"),
            observed(exited("s1", 1), exited("main")),
            {},
            {"kill_pod": True},
            id="nor is it started for that",
        ),
        pytest.param(
            with_init(S1),
            observed(running("s1", of=container("s1", image="other:1")), running("main")),
            {},
            {"init": ["s1"], "kill": ["s1-0"]},
            id="a sidecar of another image",
        ),
    ],
)
def test_init_containers(of: Pod, seen: ObservedPod, findings: Findings, expected: dict[str, Any]) -> None:
    assert summary(actions(of, seen, findings)) == expected


def test_ephemeral_containers_start_once_also_before_the_pod_is_initialized() -> None:
    debugger = EphemeralContainer(name="debug", image="registry.example/tools:1")
    waiting = pod(init_containers=(I1,), ephemeral_containers=(debugger,))
    assert summary(actions(waiting, observed(running("i1")))) == {"ephemeral": ["debug"]}
    assert summary(actions(waiting, observed(running("i1"), exited("debug", 1)))) == {}


def test_a_pod_that_is_as_wanted_needs_nothing() -> None:
    assert actions(pod(), observed(running())).is_nothing
    assert not actions(pod(), observed()).is_nothing
