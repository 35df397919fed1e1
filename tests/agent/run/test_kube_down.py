"""`--kube-down`, from files to what is said about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.agent.run.down import PodToEnd
from podwright.agent.run.kube_down import plan_of, take_down
from podwright.agent.run.runs import RunPod, RunRecord, abandoned, claimed
from podwright.cli.app import run
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.agent.run.build import job_text, pod_text
from tests.agent.run.recording import Recorder

ENDPOINT = "unix:///x.sock"
WEB = RunPod(namespace="default", name="web", uid="uid-web", owner="Pod default/web")
OTHER = RunPod(namespace="default", name="other", uid="uid-other", owner="Pod default/other")


class Machine:
    """A runtime with the sandbox of one pod, and the records of runs."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.file = root / "web.yaml"
        self.file.write_text(pod_text() + "---\n" + job_text(kind="CronJob"))
        self.recorder = Recorder()
        self.runtime = FakeRuntime(VirtualClock())
        self.released: list[str] = []

    async def release(self, doomed: PodToEnd) -> None:
        self.released.append(doomed.pod.uid)

    def take_down(self, uid: str = "uid-web") -> int:
        async def work() -> int:
            labels = {
                "io.kubernetes.pod.name": "web",
                "io.kubernetes.pod.namespace": "default",
                "io.kubernetes.pod.uid": uid,
            }
            metadata = api.PodSandboxMetadata(name="web", namespace="default", uid=uid)
            await self.runtime.run_sandbox(api.PodSandboxConfig(metadata=metadata, labels=labels), "")
            return await take_down(
                plan_of([str(self.file)]),
                root=self.root,
                endpoint=ENDPOINT,
                runtime=self.runtime,
                release=self.release,
                reporter=self.recorder,
            )

        return run_virtual(work())

    def record(self, *pods: RunPod) -> None:
        with claimed(self.root, "aa") as log:
            log.write(RunRecord(run_id="aa", endpoint=ENDPOINT, pods=pods, detached=True))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_a_run_left_is_ended_and_forgotten(machine: Machine) -> None:
    machine.record(WEB, OTHER)
    assert machine.take_down() == 0
    assert machine.recorder.lines == ["pod default/web: Stopping", "pod default/web: Stopped"]
    assert machine.released == ["uid-web"]
    (left,) = abandoned(machine.root, ENDPOINT)
    assert left.pods == (OTHER,)


def test_a_second_time_nothing_is_left(machine: Machine) -> None:
    machine.record(WEB)
    machine.take_down()
    machine.runtime = FakeRuntime(VirtualClock())
    assert os.listdir(os.path.join(machine.root, "runs")) == []


def test_a_run_that_goes_on_is_left_alone(machine: Machine) -> None:
    with claimed(machine.root, "aa") as log:
        log.write(RunRecord(run_id="aa", endpoint=ENDPOINT, pods=(WEB,)))
        assert machine.take_down() == 1
    assert machine.recorder.lines == ["error: pod default/web belongs to a run that goes on: stop that run"]
    assert machine.runtime.count("stop_sandbox") == 0


def test_pods_of_others_are_left_alone(machine: Machine) -> None:
    assert machine.take_down(uid="kubelet's") == 1
    assert "was not made by podwright run" in machine.recorder.lines[0]
    assert machine.runtime.count("stop_sandbox") == 0


def test_without_pods_there_is_nothing_to_do(machine: Machine) -> None:
    machine.file.write_text(pod_text("unknown"))
    assert machine.take_down() == 0
    assert machine.recorder.lines == ["nothing of these files is left"]


def test_files_with_faults_end_nothing(machine: Machine) -> None:
    machine.file.write_text("kind: Pod")
    with pytest.raises(InvalidArgument):
        plan_of([str(machine.file)])


def test_the_command_needs_a_runtime_and_right_options(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = ["--endpoint", f"unix://{tmp_path}/none.sock"]
    assert run([*endpoint, "run", "--kube-down", str(machine.file)]) == 1
    assert "no process listens" in capsys.readouterr().err
    assert run([*endpoint, "run", "--kube-down", str(tmp_path / "none.yaml")]) == 2
    assert "cannot read" in capsys.readouterr().err
    assert run(["run", "--kube-down", "--detach", str(machine.file)]) == 2
    assert "--detach and --kube-down exclude each other" in capsys.readouterr().err
    assert run(["run", "--kube-down", "--timeout", "3", str(machine.file)]) == 2
    assert run(["run", "--watch", "-"]) == 2
    assert "standard input cannot be watched" in capsys.readouterr().err
