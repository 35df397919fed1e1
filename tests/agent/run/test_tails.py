"""The log followers of a pod: every line of every instance, and no failure of a log is one of the pod."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from podwright.agent.run import tails
from podwright.agent.run.reporter import LogLine
from podwright.agent.run.tails import LogTails
from podwright.crilog.follow import LogFollower
from tests.agent.fakes.pods import pod

TIME = "2026-01-02T03:04:05Z"


WEB = pod()


def following(directory: Path, emit: Callable[[LogLine], None] = lambda _: None, label: str = "") -> LogTails:
    return LogTails(lambda _, container, attempt: f"{directory}/{container}/{attempt}.log", emit, lambda _: label)


def write(directory: Path, name: str, text: str) -> None:
    path = directory / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{TIME} stdout F {text}\n", encoding="utf-8")


async def test_what_an_instance_wrote_is_there_when_it_has_ended(tmp_path: Path) -> None:
    lines: list[LogLine] = []
    followed = following(tmp_path, lines.append)
    followed.follow(WEB, "a", 0)
    write(tmp_path, "a/0.log", "ü")
    await followed.finish(WEB, "a", 0)
    await followed.finish(WEB, "a", 0)
    assert lines == [LogLine(container="a", stream="stdout", time=TIME, text="ü")]
    write(tmp_path, "a/1.log", "again")
    followed.follow(WEB, "a", 1)
    await followed.close()
    assert [line.text for line in lines] == ["ü", "again"]


async def test_lines_carry_the_name_of_their_pod_where_there_are_several(tmp_path: Path) -> None:
    lines: list[LogLine] = []
    followed = following(tmp_path, lines.append, "web")
    write(tmp_path, "a/0.log", "text")
    await followed.finish(WEB, "a", 0)
    await followed.close()
    assert [line.label for line in lines] == ["web/a"]


async def test_a_log_that_cannot_be_read_fails_nothing(tmp_path: Path) -> None:
    os.makedirs(tmp_path / "a/0.log")
    followed = following(tmp_path)
    await followed.finish(WEB, "a", 0)
    await followed.close()


async def test_a_log_that_does_not_end_is_given_up_once_and_for_all(tmp_path: Path) -> None:
    write(tmp_path, "a/0.log", "text")
    followed = following(tmp_path)
    with (
        patch.object(LogFollower, "finish", lambda self: None),
        patch.object(tails, "FINISH_TIMEOUT_S", 0.05),
    ):
        await followed.finish(WEB, "a", 0)
        await followed.finish(WEB, "a", 0)
        await followed.close()
