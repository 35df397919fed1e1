"""Parents that are ours: removed as directories, or stopped as slices."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest

from podwright.errors import FailedPrecondition
from podwright.linux.cgroup import CgroupHost
from podwright.process import Command, Completed, Process
from podwright.runtime.config import ContainerSettings
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxState
from podwright.runtime.sandbox.parents import Parents

NAME = SandboxName(name="p", namespace="n", uid="u")


class _Systemctl:
    """Stands in for systemctl, which this kind of machine may not have."""

    def __init__(self, code: int | None = 0) -> None:
        self.code = code
        self.calls: list[tuple[str, ...]] = []

    async def run(self, command: Command) -> Completed:
        self.calls.append(command.argv)
        if self.code is None:
            raise FailedPrecondition("the program systemctl is not installed")
        return Completed(returncode=self.code, stdout=b"", stderr=b"made up")

    def start(self, command: Command) -> Process:
        raise NotImplementedError(str(command))


def _sandbox(parents: Parents, requested: str = "") -> Sandbox:
    config = SandboxConfig(name=NAME, cgroup_parent=requested)
    return Sandbox(
        id=SandboxId("s1"),
        config=config,
        handler="crun",
        state=SandboxState.NOTREADY,
        created_at=1,
        cgroup_parent=parents.of(config, "s1"),
    )


async def test_directories(tmp_path: Path) -> None:
    host = CgroupHost(layout="v2", unified=str(tmp_path))
    parents = Parents(ContainerSettings(cgroup_parent="/ours"), host, _Systemctl())
    own, given = _sandbox(parents), _sandbox(parents, "/theirs")
    (tmp_path / "ours/s1").mkdir(parents=True)
    (tmp_path / "theirs").mkdir()
    for _ in range(2):
        await parents.remove(own)
        await parents.remove(given)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["ours", "theirs"]
    assert not (tmp_path / "ours/s1").exists()
    await parents.remove_base()
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


@pytest.mark.parametrize("code", [0, 1, None], ids=["stops", "refuses", "absent"])
async def test_slices(code: int | None, caplog: pytest.LogCaptureFixture) -> None:
    systemctl = _Systemctl(code)
    settings = msgspec.structs.replace(ContainerSettings(), cgroup_driver="systemd")
    parents = Parents(settings, CgroupHost(layout="v2", unified="/none"), systemctl)
    with caplog.at_level(logging.WARNING):
        await parents.remove(_sandbox(parents))
        await parents.remove(_sandbox(parents, "/kubepods.slice"))
        await parents.remove_base()
    assert systemctl.calls == [
        ("systemctl", "stop", "podwright-pods1.slice"),
        ("systemctl", "stop", "podwright.slice"),
    ]
    assert bool(caplog.records) is (code != 0)
