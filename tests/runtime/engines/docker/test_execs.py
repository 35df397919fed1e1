"""The end of processes that the Engine starts, by the answers that it gives while it starts them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from podwright.linux import cgroup, proc
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.engines.docker.host import EngineHost
from podwright.runtime.engines.docker.stdio import execs
from podwright.runtime.engines.docker.stdio.execs import ExecSession
from podwright.runtime.model.container import Container

BEFORE: dict[str, Any] = {"Running": False, "ExitCode": None, "Pid": 0}
STARTS: dict[str, Any] = {"Running": True, "ExitCode": None, "Pid": 0}
OUTSIDE: dict[str, Any] = {"Running": True, "ExitCode": None, "Pid": 7}
RUNS: dict[str, Any] = {"Running": True, "ExitCode": None, "Pid": 8}
ENDED: dict[str, Any] = {"Running": False, "ExitCode": 0, "Pid": 8}


class Engine:
    """Gives one answer after the other, the last one again and again."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        self.client = self
        self.answers = answers

    async def get(self, path: str, what: str) -> dict[str, Any]:
        """The next answer."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Running:
    """As much of a container as an exec needs."""

    id = "c" * 64
    cgroup = "/c"


@pytest.mark.parametrize(
    ("answers", "killed"),
    [
        ([RUNS], [8]),
        ([BEFORE, STARTS, OUTSIDE, RUNS], [8]),
        ([STARTS, ENDED], []),
        ([ENDED], []),
        ([STARTS], []),
        ([OUTSIDE], []),
    ],
    ids=["runs", "is being started", "has ended meanwhile", "has ended", "never starts", "never comes inside"],
)
async def test_a_process_is_killed_as_soon_as_it_is_in_its_container(
    answers: list[dict[str, Any]], killed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    monkeypatch.setattr(cgroup, "processes", lambda host, path: {1, 8})
    monkeypatch.setattr(proc, "kill_tree", found.append)
    monkeypatch.setattr(execs, "KILLED_S", 0.3)
    monkeypatch.setattr(execs, "START_LOOK_S", 0.001)
    engine, container = cast("EngineHost", Engine(list(answers))), cast("Container", Running())

    async def gone(_: object) -> None:
        """Never asked for."""

    await ExecSession(engine, cast("CgroupHost", None), container, "e" * 64, gone).kill()
    assert found == killed
