"""The cgroup of a node agent's pods."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.bench.agents import cgroup
from podwright.linux.cgroup import CgroupHost, detect
from tests.harness.scratch import Scratch


@pytest.mark.root
def test_a_process_can_be_put_in_it_and_nothing_of_it_stays(scratch: Scratch) -> None:
    host, parent = detect(), scratch.part("agent-cgroup").cgroup_parent
    path = f"{parent}/bench"
    made = cgroup.make(host, path)
    try:
        assert made[-1] == path.strip("/")
        for folder in host.directories(f"{path}/below"):
            Path(folder).mkdir()
        cpuset = host.directory(path, "cpuset")
        assert cpuset is not None
        assert Path(cpuset, "cpuset.cpus").read_text().strip() or host.layout == "v2"
        with pytest.raises(FileExistsError):
            cgroup.make(host, path)
    finally:
        cgroup.remove(host, made)
    assert not any(os.path.exists(folder) for each in made for folder in host.directories(each))


def test_a_parent_that_others_use_stays(tmp_path: Path) -> None:
    host = CgroupHost(layout="v1", controllers={"pids": str(tmp_path)})
    made = cgroup.make(host, "/a/b")
    assert made == ["a", "a/b"]
    (tmp_path / "a" / "others").mkdir()
    cgroup.remove(host, made)
    assert os.listdir(tmp_path / "a") == ["others"]


def test_what_was_there_before_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    host = CgroupHost(layout="v1", controllers={"pids": str(tmp_path)})
    assert cgroup.make(host, "a/b") == ["a/b"]
