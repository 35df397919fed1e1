"""Parents that are ours: removed as directories, or stopped as slices."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition
from podwright.linux.cgroup import CgroupHost
from podwright.process import Command, Completed, Process
from podwright.runtime.config import ContainerSettings
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxState
from podwright.runtime.sandbox.base_cgroup import BaseCgroup
from podwright.runtime.sandbox.parents import Parents
from podwright.runtime.state import Database

NAME = SandboxName(name="p", namespace="n", uid="u")


OURS = ContainerSettings(cgroup_parent="/ours")
SLICES = ContainerSettings(cgroup_driver="systemd")


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


def _parents(
    root: Path, database: Database, settings: ContainerSettings = OURS, systemctl: _Systemctl | None = None
) -> Parents:
    """As a daemon makes them at its start."""
    host = CgroupHost(layout="v2", unified=str(root))
    return Parents(settings, BaseCgroup(settings, host, database), host, systemctl or _Systemctl())


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


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "root").mkdir()
    opened = Database(str(tmp_path / "root"))
    yield opened
    opened.close()


@pytest.fixture
def cgroups(tmp_path: Path) -> Path:
    """The root of a hierarchy."""
    made = tmp_path / "cgroups"
    made.mkdir()
    return made


async def test_directories(cgroups: Path, database: Database) -> None:
    parents = _parents(cgroups, database)
    own, given = _sandbox(parents), _sandbox(parents, "/theirs")
    (cgroups / "ours/s1").mkdir(parents=True)
    (cgroups / "theirs").mkdir()
    for _ in range(2):
        await parents.remove(own)
        await parents.remove(given)
    assert [path.name for path in sorted(cgroups.iterdir())] == ["ours", "theirs"]
    assert not (cgroups / "ours/s1").exists()
    await parents.remove_base()
    assert [path.name for path in cgroups.iterdir()] == ["theirs"]


@pytest.mark.parametrize("code", [0, 1, None], ids=["stops", "refuses", "absent"])
async def test_slices(code: int | None, cgroups: Path, database: Database, caplog: pytest.LogCaptureFixture) -> None:
    systemctl = _Systemctl(code)
    parents = _parents(cgroups, database, SLICES, systemctl)
    with caplog.at_level(logging.WARNING):
        await parents.remove(_sandbox(parents))
        await parents.remove(_sandbox(parents, "/kubepods.slice"))
        await parents.remove_base()
    assert systemctl.calls == [
        ("systemctl", "stop", "podwright-pods1.slice"),
        ("systemctl", "stop", "podwright.slice"),
    ]
    assert bool(caplog.records) is (code != 0)


async def test_a_base_that_was_there_before_stays(cgroups: Path, database: Database) -> None:
    """It is an administrator's, or another program's that has nothing in it now."""
    (cgroups / "ours").mkdir()
    for _ in range(2):  # also after a restart
        await _parents(cgroups, database).remove_base()
    assert (cgroups / "ours").exists()


async def test_a_base_of_ours_is_removed_after_a_restart(cgroups: Path, database: Database) -> None:
    _parents(cgroups, database)
    (cgroups / "ours/s1").mkdir(parents=True)
    restarted = _parents(cgroups, database)
    await restarted.remove(_sandbox(restarted))
    await restarted.remove_base()
    assert not (cgroups / "ours").exists()


async def test_a_base_of_an_earlier_boot_is_not_ours(tmp_path: Path, cgroups: Path, database: Database) -> None:
    host, boot = CgroupHost(layout="v2", unified=str(cgroups)), tmp_path / "boot_id"
    for boot_id, removable in (("first", True), ("second", False)):
        boot.write_text(boot_id)
        assert BaseCgroup(OURS, host, database, str(boot)).is_removable() is removable
        (cgroups / "ours").mkdir(exist_ok=True)


@pytest.mark.parametrize(("settings", "below"), [(OURS, "ours/theirs"), (SLICES, "podwright.slice/theirs.scope")])
async def test_a_base_with_cgroups_of_another_program_stays(
    settings: ContainerSettings, below: str, cgroups: Path, database: Database
) -> None:
    systemctl = _Systemctl()
    parents = _parents(cgroups, database, settings, systemctl)
    (cgroups / below).mkdir(parents=True)
    await parents.remove_base()
    assert (cgroups / below).exists()
    assert not systemctl.calls
