"""exec probes in containers of real runtimes."""

from __future__ import annotations

import asyncio

from podwright.agent.clock import SystemClock
from podwright.agent.configs.expansion import expand
from podwright.agent.metrics.probes import ProbeMetrics
from podwright.agent.pleg.cache import StatusCache
from podwright.agent.probes.manager import ProbeManager
from podwright.agent.probes.outcomes import ProbeKind, ProbeOutcome, ProbeResult
from podwright.agent.probes.prober import Prober
from podwright.agent.probes.probers import Probers
from podwright.agent.runtime.client import RuntimeClient
from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import running_pod
from podwright.k8s.objects import ExecAction, Probe
from tests.agent.fakes.configs import container_config, labels
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod

WAIT_S = patient(60.0)


def shell(script: str) -> Probe:
    return Probe(
        exec=ExecAction(command=("sh", "-c", script)),
        period_seconds=1,
        timeout_seconds=5,
        failure_threshold=1,
        success_threshold=1,
    )


def texts(events: RecordedEvents) -> list[str]:
    return [text for _, _, text in events.seen]


async def test_a_container_becomes_ready_and_then_hangs(cri_server: CriPeer, busybox_image: str) -> None:
    uid = "uid-exec-probe"
    outcomes: asyncio.Queue[ProbeOutcome] = asyncio.Queue()
    runtime, clock, events = RuntimeClient(cri_server.client), SystemClock(), RecordedEvents()
    cache = StatusCache(runtime, clock, lambda _: None)
    prober = Prober(Probers(runtime, expand), events, ProbeMetrics(), clock)
    manager = ProbeManager(prober, outcomes.put, clock, look=cache.peek, host_ip=lambda: "127.0.0.1")
    hangs = "if [ -f /tmp/hang ]; then sleep 600; fi"
    spec = container(readiness_probe=shell("echo not yet; test -f /tmp/ready"), liveness_probe=shell(hangs))
    async with running_pod(cri_server, busybox_image, labels=labels(uid)) as sandbox:
        made = await sandbox.run(labels=dict(container_config(uid=uid).labels), name="main")
        await cache.look(uid)
        manager.add(pod(uid=uid, containers=(spec,)))
        try:
            async with asyncio.timeout(WAIT_S):
                while "Readiness probe failed: not yet\n" not in texts(events):  # noqa: ASYNC110 # a list tells nobody
                    await asyncio.sleep(0.1)
                await sandbox.exec(made, "touch", "/tmp/ready")
                ready = await outcomes.get()
                await sandbox.exec(made, "touch", "/tmp/hang")
                hung = await outcomes.get()
        finally:
            await manager.close()
    assert (ready.kind, ready.finding, ready.container_id) == (ProbeKind.READINESS, ProbeResult.SUCCESS, made)
    assert (hung.kind, hung.finding, hung.pod_uid) == (ProbeKind.LIVENESS, ProbeResult.FAILURE, uid)
    assert any(text.startswith("Liveness probe failed: command timed out") for text in texts(events))
