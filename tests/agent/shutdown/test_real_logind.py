"""A real agent and the logind of this machine: the machine is told to halt, pods end, and then it may not after all.

The halt is refused in its last step by a drop-in of `halt.target`, so that logind calls the shutdown off when the
pods have ended. All before that is as in any shutdown.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.agent.shutdown.logind import DROP_IN, DROP_INS, MANAGER, PATH, SERVICE
from podwright.conformance.patience import patient
from tests.agent.api_pods import FOREVER, NODE, bind, event_documents, is_ready, joined_agent, plain
from tests.agent.shutdown.test_shutdown_on_a_runtime import readiness, status_of
from tests.harness.agent import AgentProcess
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch

pytestmark = [pytest.mark.root, pytest.mark.disposable]

TARGET_DROP_INS = Path("/run/systemd/system/halt.target.d")
GRACE_S, CRITICAL_S = 90, 40
ENDS_LATE = 'trap "sleep 5; exit 3" TERM; sleep 1000 & wait'  # 0 would be success


def run(*argv: str) -> str:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=patient(30.0))
    return done.stdout.strip()


def manager_property(name: str) -> str:
    """A property of logind, as busctl shows it: its type and its value."""
    return run("busctl", "get-property", SERVICE, PATH, MANAGER, name)


def locks() -> list[str]:
    """The agent's locks, as systemd-inhibit lists them."""
    listed = run("systemd-inhibit", "--list", "--no-legend", "--no-pager").splitlines()
    return [line for line in listed if line.startswith("kubelet ")]


@pytest.fixture
def no_halt() -> Iterator[None]:
    """Have systemd refuse to halt the machine, and logind take its own longest delay again afterwards."""
    TARGET_DROP_INS.mkdir(parents=True)
    drop_in = TARGET_DROP_INS / "podwright-test.conf"
    drop_in.write_text("[Unit]\nRefuseManualStart=yes\n")
    run("systemctl", "daemon-reload")
    assert run("systemctl", "show", "--property=RefuseManualStart", "halt.target") == "RefuseManualStart=yes"
    yield
    drop_in.unlink()
    TARGET_DROP_INS.rmdir()
    Path(DROP_INS, DROP_IN).unlink(missing_ok=True)
    run("systemctl", "daemon-reload")
    run("systemctl", "kill", "--signal=HUP", "systemd-logind.service")


@pytest.fixture
def agent(
    no_halt: None, podwright_server: Podwright, scratch: Scratch, api: ApiServerThread, tmp_path: Path
) -> Iterator[AgentProcess]:
    config = {"shutdownGracePeriod": f"{GRACE_S}s", "shutdownGracePeriodCriticalPods": f"{CRITICAL_S}s"}
    with joined_agent(scratch.part("agent"), podwright_server.endpoint, api, tmp_path, config) as process:
        yield process


def test_the_machine_waits_for_pods(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    agent.until(locks, "a shutdown would wait")
    (lock,) = locks()
    assert f" {agent.pid} " in lock
    assert lock.endswith("shutdown Kubelet needs time to handle node shutdown delay")
    assert manager_property("InhibitDelayMaxUSec") == f"t {GRACE_S * 1_000_000}"  # logind's own default is 5 s
    bind(api, "web", f"{{terminationGracePeriodSeconds: 60, {plain(image, ENDS_LATE)}}}")
    bind(api, "system", f"{{priority: 2000001000, {plain(image, FOREVER)}}}")
    agent.until(lambda: is_ready(api, "web") and is_ready(api, "system"), "both pods run")
    agent.until(lambda: readiness(api).status == "True", "the node is ready")

    run("busctl", "call", SERVICE, PATH, MANAGER, "Halt", "b", "false")
    agent.until(lambda: readiness(api).message == "node is shutting down", "the node says so")
    assert manager_property("PreparingForShutdown") == "b true"
    assert locks()
    for name in ("web", "system"):
        agent.until(lambda name=name: status_of(api, name).phase == "Failed", f"{name} has ended")  # type: ignore[misc] # bound now
        assert status_of(api, name).reason == "Terminated"
    ends = [status_of(api, name).container_statuses[0].state.terminated for name in ("web", "system")]
    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[0].exit_code == 3  # its own end, for which the machine has waited
    assert ends[0].finished_at <= ends[1].finished_at  # type: ignore[operator] # both have ended

    agent.until(lambda: readiness(api).status == "True", "the shutdown is called off")
    agent.until(lambda: len(event_documents(api, NODE, "Shutdown")) == 2, "the events are written")
    messages = [event["message"] for event in event_documents(api, NODE, "Shutdown")]
    assert messages == ["Shutdown manager detected shutdown event", "Shutdown manager detected shutdown cancellation"]
    assert locks()
    bind(api, "again", plain(image))
    agent.until(lambda: is_ready(api, "again"), "pods are taken again")
