"""Ending what an earlier run made."""

from __future__ import annotations

import pytest

from podwright.agent.run.down import DownPlan, PodToEnd, Takedown, plan_down
from podwright.agent.run.runs import RunPod, RunRecord
from podwright.agent.runtime.records import CriSandboxState, SandboxSummary
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Unavailable
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.agent.run.build import job_text, plan, pod_text

LABELS = {
    "io.kubernetes.pod.name": "web",
    "io.kubernetes.pod.namespace": "default",
    "io.kubernetes.pod.uid": "uid-web",
    "io.kubernetes.container.name": "c",
}


def run_pod(name: str = "web", owner: str = "Pod default/web", grace_s: int = 30) -> RunPod:
    return RunPod(namespace="default", name=name, uid=f"uid-{name}", owner=owner, grace_s=grace_s)


def record(*pods: RunPod) -> RunRecord:
    return RunRecord(run_id="aa", endpoint="unix:///x.sock", pods=pods)


def sandbox(name: str = "web", uid: str = "") -> SandboxSummary:
    return SandboxSummary(
        id="s",
        pod_uid=uid or f"uid-{name}",
        pod_name=name,
        pod_namespace="default",
        attempt=0,
        state=CriSandboxState.READY,
        created_at_ns=1,
    )


WEB = run_pod()
JOB = run_pod("work-zzzzz", "Job default/work")


@pytest.mark.parametrize(
    ("records", "held", "sandboxes", "expected"),
    [
        pytest.param([], [], [], DownPlan(), id="nothing is there"),
        pytest.param(
            [record(WEB)], [], [sandbox()], DownPlan(doomed=(PodToEnd(pod=WEB, record=record(WEB)),)), id="a pod"
        ),
        pytest.param(
            [record(WEB)], [], [], DownPlan(doomed=(PodToEnd(pod=WEB, record=record(WEB)),)), id="its files alone"
        ),
        pytest.param(
            [record(JOB)], [], [], DownPlan(doomed=(PodToEnd(pod=JOB, record=record(JOB)),)), id="a later pod of a job"
        ),
        pytest.param([record(run_pod("other", "Pod default/other"))], [], [sandbox("other")], DownPlan(), id="others"),
        pytest.param([], ["uid-web"], [sandbox()], DownPlan(living=("default/web",)), id="a run that lives"),
        pytest.param([], [], [sandbox(uid="kubelet's")], DownPlan(foreign=("default/web",)), id="a kubelet's pod"),
    ],
)
def test_which_pods_are_ended(
    records: list[RunRecord], held: list[str], sandboxes: list[SandboxSummary], expected: DownPlan
) -> None:
    assert plan_down(plan(pod_text(), job_text()), records, frozenset(held), sandboxes) == expected


def takedown(failure: Unavailable | None = None) -> tuple[FakeRuntime, list[str], frozenset[str], list[str]]:
    """The runtime afterwards, what was released, the UIDs that are gone, and the problems."""
    runtime = FakeRuntime(VirtualClock())
    released: list[str] = []

    async def release(doomed: PodToEnd) -> None:
        released.append(doomed.pod.name)

    async def run() -> tuple[frozenset[str], list[str]]:
        metadata = api.PodSandboxMetadata(name="web", namespace="default", uid="uid-web")
        config = api.PodSandboxConfig(metadata=metadata, labels=LABELS)
        sandbox_id = await runtime.run_sandbox(config, "")
        container = api.ContainerConfig(metadata=api.ContainerMetadata(name="c"), labels=LABELS)
        container_id = await runtime.create_container(sandbox_id, container, config)
        await runtime.start_container(container_id)
        work = Takedown(runtime=runtime, release=release)
        if failure is not None:
            runtime.failures["stop_sandbox"] = [failure]
        pod = run_pod(grace_s=7)
        gone = await work.end([PodToEnd(pod=pod, record=record(pod))])
        return gone, work.problems

    gone, problems = run_virtual(run())
    return runtime, released, gone, problems


def test_a_pod_is_stopped_removed_and_released() -> None:
    runtime, released, gone, problems = takedown()
    assert (released, gone, problems) == (["web"], frozenset({"uid-web"}), [])
    methods = [method for method, _ in runtime.calls]
    assert methods.index("stop_container") < methods.index("stop_sandbox") < methods.index("remove_sandbox")


def test_a_pod_that_cannot_be_ended_is_named_and_kept() -> None:
    _, released, gone, problems = takedown(Unavailable("the runtime is away"))
    assert (released, gone) == ([], frozenset())
    assert problems == ["pod default/web: the runtime is away"]
