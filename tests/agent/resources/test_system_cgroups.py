"""Processes in cgroups of their own: the agent, and what is in none."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.agent.resources import cgroupfs, swap
from podwright.agent.resources.limits import CgroupLimits
from podwright.agent.resources.system_cgroups import SystemCgroups, move, move_all
from podwright.errors import FailedPrecondition
from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost
from tests.harness.agent import AgentProcess
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch


def cgroups_of(pid: int, host: CgroupHost) -> set[str]:
    """The cgroups of a process, in those hierarchies that this host has mounted."""
    known = {*host.controllers, *(["", *host.unified_controllers] if host.unified else [])}
    found = set()
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if set(controllers.split(",")) & known:
            found.add(path)
    return found


@pytest.fixture
def path(scratch: Scratch) -> Iterator[str]:
    path, host = scratch.part("cgroups").cgroup_parent, cgroup.detect()
    for each in (path, f"{path}/system"):
        cgroupfs.make(host, each, CgroupLimits())
    yield path
    for each in (f"{path}/system", path):
        cgroupfs.remove(host, each)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "100"]) as process:
        yield process
        process.kill()


@pytest.mark.root
def test_what_is_in_a_cgroup_itself_is_moved(path: str, process: subprocess.Popen[bytes]) -> None:
    host = cgroup.detect()
    move(host, [process.pid], path)
    assert cgroups_of(process.pid, host) == {path}
    move_all(host, path, f"{path}/system")
    assert cgroups_of(process.pid, host) == {f"{path}/system"}


@pytest.mark.root
def test_a_process_that_has_ended_is_fine(path: str, process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    move(cgroup.detect(), [process.pid], path)


def test_the_system_is_not_the_root() -> None:
    with pytest.raises(FailedPrecondition, match="cannot be root"):
        SystemCgroups(cgroup.detect(), agent="", system="/", oom_score_adj=0)


@pytest.mark.root
def test_the_agent_moves_itself(podwright_server: Podwright, scratch: Scratch) -> None:
    part, host = scratch.part("agent"), cgroup.detect()
    own = f"{part.cgroup_parent}/agent"
    with AgentProcess(part, podwright_server.endpoint, {"kubeletCgroups": own, "oomScoreAdj": 100}) as agent:
        assert cgroups_of(agent.pid, host) == {own}
        assert Path(f"/proc/{agent.pid}/oom_score_adj").read_text().strip() == "100"
        agent.stop()
        cgroupfs.remove(host, own)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Filename Type Size Used Priority\n", False),
        ("Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n", True),
    ],
)
def test_swap(text: str, expected: bool, tmp_path: Path) -> None:
    file = tmp_path / "swaps"
    file.write_text(text)
    assert swap.has_swap(str(file)) is expected
    swap.check(fail_swap_on=False, path=str(file))
    if expected:
        with pytest.raises(FailedPrecondition, match="running with swap on is not supported"):
            swap.check(fail_swap_on=True, path=str(file))
    assert not swap.has_swap(os.path.join(tmp_path, "no such file"))
