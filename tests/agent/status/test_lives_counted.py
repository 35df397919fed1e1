"""What is counted of pods' starts and ends, from their statuses alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from podwright.agent.metrics.lives import LifeMetrics
from podwright.agent.metrics.prometheus import exposition
from podwright.agent.pods.identity import CONFIG_SEEN
from podwright.agent.status.lives import PodLives
from podwright.agent.status.manager import VersionedStatus
from podwright.k8s.objects import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStatus,
    HostPathVolumeSource,
    Pod,
    PodCondition,
    PodStatus,
    Volume,
)
from tests.agent.fakes.pods import pod
from tests.agent.fakes.statuses import NOW
from tests.agent.status.test_manager import StoppedClock

CREATED = NOW - timedelta(seconds=20)
SEEN = NOW - timedelta(seconds=12)
RUNS = ContainerState(running=ContainerStateRunning(started_at=NOW))


def status_of(name: str, state: ContainerState) -> ContainerStatus:
    return ContainerStatus(
        name=name, state=state, ready=False, restart_count=0, image="registry.example/app:1", image_id=""
    )


def ended(code: int, reason: str, *, ran_s: int = 0) -> ContainerState:
    began = NOW - timedelta(seconds=ran_s)
    end = ContainerStateTerminated(exit_code=code, reason=reason, started_at=began, finished_at=NOW)
    return ContainerState(terminated=end)


class Scene:
    """One pod whose statuses a test sets."""

    def __init__(self, of: Pod) -> None:
        metadata = replace(
            of.metadata,
            creation_timestamp=CREATED,
            annotations={**of.metadata.annotations, CONFIG_SEEN: SEEN.isoformat()},
        )
        self.pods = {of.metadata.uid: replace(of, metadata=metadata)}
        self.metrics = LifeMetrics()
        self.lives = PodLives(self.metrics, self.pods.get, lambda uid: uid in self.pods, StoppedClock())
        self.uid = of.metadata.uid

    def show(self, phase: str, *containers: ContainerStatus, init: tuple[ContainerStatus, ...] = ()) -> None:
        status = PodStatus(phase=phase, container_statuses=containers, init_container_statuses=init)
        self.lives.changed(
            VersionedStatus(uid=self.uid, namespace="default", name="web", status=status, shown=status, version=1)
        )

    def start(self) -> None:
        self.show("Pending")
        self.lives.pulled(self.uid, 4.0)
        self.show("Running", status_of("main", RUNS), init=(status_of("init", ended(0, "Completed", ran_s=3)),))

    def text(self, name: str) -> list[str]:
        return [line for line in exposition(self.metrics.families()).decode().splitlines() if line.startswith(name)]


def test_a_start_is_counted_once_and_without_what_the_pod_itself_takes() -> None:
    scene = Scene(pod())
    scene.start()
    scene.show("Running", status_of("main", RUNS))
    assert scene.text("kubelet_pod_start_duration_seconds_sum")[0].split()[1].startswith("12.12")
    [whole] = scene.text("kubelet_pod_start_total_duration_seconds_sum")
    [own] = scene.text("kubelet_pod_start_sli_duration_seconds_sum")
    assert float(whole.split()[1]) - float(own.split()[1]) == pytest.approx(7.0)
    assert scene.text("kubelet_pod_start_sli_duration_seconds_count")[0].endswith(" 1")
    assert scene.metrics.first_network_start.value() == pytest.approx(13.123, abs=0.01)


@pytest.mark.parametrize(
    "of",
    [
        pod(source="file"),
        replace(pod(), status=PodStatus(phase="Running", start_time=NOW)),
        replace(pod(), status=PodStatus(conditions=(PodCondition(type="PodScheduled", status="False"),))),
    ],
    ids=["static", "from before a restart", "waited for a node"],
)
def test_pods_whose_start_says_nothing_of_this_node(of: Pod) -> None:
    scene = Scene(of)
    scene.start()
    assert scene.text("kubelet_pod_start_total_duration_seconds_count")[0].endswith(" 0")


def test_the_start_of_a_pod_with_storage_counts_only_as_a_whole() -> None:
    scene = Scene(pod(volumes=(Volume(name="v", host_path=HostPathVolumeSource(path="/")),)))
    scene.start()
    assert scene.text("kubelet_pod_start_total_duration_seconds_count")[0].endswith(" 1")
    assert scene.text("kubelet_pod_start_sli_duration_seconds_count")[0].endswith(" 0")


def test_each_end_of_a_container_is_counted_once() -> None:
    scene = Scene(pod())
    scene.show("Running", status_of("main", RUNS))
    for _ in range(2):
        scene.show("Running", status_of("main", ended(1, "Error")))
    scene.show("Running", status_of("main", RUNS))
    scene.show("Failed", status_of("main", ended(137, "OOMKilled")))
    assert scene.metrics.ended_containers.value("container", "1", "Error") == 1
    assert scene.metrics.ended_containers.value("container", "137", "OOMKilled") == 1


def test_what_had_ended_before_the_agent_came_is_not_counted() -> None:
    before = PodStatus(phase="Failed", container_statuses=(status_of("main", ended(1, "Error")),))
    scene = Scene(replace(pod(), status=before))
    scene.show("Failed", status_of("main", ended(1, "Error")))
    assert scene.text("kubelet_terminated_containers_total") == []


def test_pods_that_are_gone_are_forgotten() -> None:
    scene = Scene(pod())
    scene.show("Pending")
    scene.pods.clear()
    scene.pods["uid-other"] = pod("other")
    scene.uid = "uid-other"
    scene.show("Pending")
    assert list(scene.lives._lives) == ["uid-other"]
