"""A real agent on a real runtime, joined to an API server and to a logind: the machine shuts down, and does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.k8s.objects import Node, NodeCondition, PodStatus
from tests.agent.api_pods import FOREVER, NODE, bind, event_documents, is_ready, joined_agent, plain, pod
from tests.harness.agent import AgentProcess
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.logind import LogindThread
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch

pytestmark = [pytest.mark.root]

ENDS_LATE = 'trap "sleep 1; exit 3" TERM; sleep 1000 & wait'  # 0 would be success


@pytest.fixture
def logind(scratch: Scratch) -> Iterator[LogindThread]:
    with LogindThread(scratch.part("logind").directory) as thread:
        # Long enough: the agent must not write into this machine's own configuration.
        thread.call(lambda each: setattr(each, "delay_us", 60_000_000))
        yield thread


@pytest.fixture
def agent(
    podwright_server: Podwright,
    scratch: Scratch,
    api: ApiServerThread,
    logind: LogindThread,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[AgentProcess]:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", logind.address)
    config = {"shutdownGracePeriod": "40s", "shutdownGracePeriodCriticalPods": "20s"}
    with joined_agent(scratch.part("agent"), podwright_server.endpoint, api, tmp_path, config) as process:
        yield process


def readiness(api: ApiServerThread) -> NodeCondition:
    node: Node | None = api.get(Node, NODE)
    conditions = node.status.conditions if node is not None else ()
    return next((each for each in conditions if each.type == "Ready"), NodeCondition(type="Ready", status="Unknown"))


def status_of(api: ApiServerThread, name: str) -> PodStatus:
    found = pod(api, name)
    return found.status if found is not None else PodStatus()


def test_pods_end_before_the_machine_does(
    agent: AgentProcess, api: ApiServerThread, logind: LogindThread, image: str
) -> None:
    agent.until(lambda: readiness(api).status == "True", "the node is ready")
    agent.until(lambda: logind.held() == 1, "a shutdown would wait")
    bind(api, "web", plain(image, ENDS_LATE))
    bind(api, "system", f"{{priority: 2000001000, {plain(image, FOREVER)}}}")
    agent.until(lambda: is_ready(api, "web") and is_ready(api, "system"), "both pods run")

    logind.prepare(is_shutting_down=True)
    agent.until(lambda: logind.held() == 0, "the machine may go")
    agent.until(lambda: status_of(api, "system").phase == "Failed", "the statuses are written")
    for name in ("web", "system"):
        status = status_of(api, name)
        assert (status.phase, status.reason) == ("Failed", "Terminated")
        assert status.message == "Pod was terminated in response to imminent node shutdown."
        assert "DisruptionTarget" in [each.type for each in status.conditions]
    ends = [status_of(api, name).container_statuses[0].state.terminated for name in ("web", "system")]
    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[0].finished_at <= ends[1].finished_at  # type: ignore[operator] # both have ended
    ready = readiness(api)
    assert (ready.status, ready.reason, ready.message) == ("False", "KubeletNotReady", "node is shutting down")
    agent.until(lambda: event_documents(api, NODE, "Shutdown"), "the event is written")
    times = json.loads((agent.root / "graceful_node_shutdown_state").read_text())
    assert times["startTime"] <= times["endTime"]
    assert b"kubelet_graceful_shutdown_start_time_seconds 0" not in agent.get("/metrics")
    bind(api, "late", plain(image))
    agent.until(lambda: status_of(api, "late").reason == "NodeShutdown", "new pods are refused")
    assert status_of(api, "late").message == "Pod was rejected: Pod was rejected as the node is shutting down."

    logind.prepare(is_shutting_down=False)
    agent.until(lambda: logind.held() == 1, "the next shutdown waits again")
    agent.until(lambda: readiness(api).status == "True", "the node is ready again")
    bind(api, "again", plain(image))
    agent.until(lambda: is_ready(api, "again"), "pods are taken again")
