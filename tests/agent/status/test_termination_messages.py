"""Termination messages, from real files and logs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podwright.agent.pods.identity import TERMINATION_MESSAGE_PATH, TERMINATION_MESSAGE_POLICY
from podwright.agent.runtime.records import CriContainerStatus, MountStatus
from podwright.agent.status import termination_messages
from podwright.agent.status.termination_messages import MessageSource, TerminationMessages, message_source
from tests.agent.fakes.observed import exited, observed, running

PATH = "/dev/termination-log"
POD = "pods/uid-web"


class Place:
    """The agent's directory with one pod, and the log directory."""

    def __init__(self, root: Path) -> None:
        self.pod = root / POD
        self.logs = root / "logs"
        self.log = self.logs / "default_web_uid-web" / "main" / "0.log"
        self.file = self.pod / "containers" / "main" / "abc"
        for path in (self.log, self.file):
            path.parent.mkdir(parents=True)
        self.messages = TerminationMessages(str(root), str(self.logs))

    def status(self, exit_code: int = 1, policy: str = "File", path: str = PATH, **fields: Any) -> CriContainerStatus:
        annotations = {TERMINATION_MESSAGE_PATH: path, TERMINATION_MESSAGE_POLICY: policy}
        mounts = (MountStatus(container_path=PATH, host_path=str(self.file)),)
        status = exited(exit_code=exit_code, **{"mounts": mounts, "log_path": str(self.log), **fields})
        return msgspec.structs.replace(status, annotations=annotations)

    def write_log(self, *lines: str, ended: bool = True) -> None:
        records = [f"2026-01-02T03:04:05.678901234Z stdout F {line}\n" for line in lines]
        if not ended:
            records[-1] = records[-1].replace(" F ", " P ")
        self.log.write_text("".join(records))

    async def read(self, *statuses: CriContainerStatus) -> str:
        found = await self.messages.of(observed(*statuses))
        return found[statuses[0].id]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("exit_code", [0, 1])
@pytest.mark.parametrize("policy", ["File", "FallbackToLogsOnError", ""])
async def test_the_file_is_the_message(place: Place, exit_code: int, policy: str) -> None:
    place.write_log("log")
    place.file.write_bytes(b"all is \xff lost\n")
    assert await place.read(place.status(exit_code, policy)) == "all is � lost\n"


async def test_the_end_of_a_long_file_counts(place: Place) -> None:
    place.file.write_text("a" * 100 + "b" * 4096)
    assert await place.read(place.status()) == "b" * 4096


@pytest.mark.parametrize(
    ("policy", "exit_code", "reason", "expected"),
    [
        ("FallbackToLogsOnError", 1, "Error", "last words\n"),
        ("FallbackToLogsOnError", 0, "Completed", ""),
        ("FallbackToLogsOnError", 1, "ContainerCannotRun", ""),
        ("File", 1, "Error", ""),
    ],
)
async def test_the_log_counts_when_the_file_is_empty(
    place: Place, policy: str, exit_code: int, reason: str, expected: str
) -> None:
    place.write_log("last words")
    place.file.touch()
    assert await place.read(place.status(exit_code, policy, reason=reason)) == expected


async def test_or_when_there_is_none(place: Place) -> None:
    place.write_log("DONE", ended=False)
    assert await place.read(place.status(policy="FallbackToLogsOnError")) == "DONE"


async def test_of_the_log_80_lines_and_2048_bytes_count(place: Place) -> None:
    place.write_log(*(f"{number}" for number in range(100)))
    assert await place.read(place.status(policy="FallbackToLogsOnError")) == "".join(
        f"{number}\n" for number in range(20, 100)
    )
    place.messages.retain(())
    place.write_log(*("x" * 99 for _ in range(80)))
    message = await place.read(place.status(policy="FallbackToLogsOnError"))
    assert message == "x" * 47 + "\n" + ("x" * 99 + "\n") * 20


async def test_a_log_that_cannot_be_read_says_so(place: Place) -> None:
    message = await place.read(place.status(policy="FallbackToLogsOnError"))
    assert message == "Error on reading termination message from logs: No such file or directory"


async def test_a_container_without_a_path_has_no_file(place: Place) -> None:
    place.file.write_text("never read")
    assert await place.read(place.status(path="")) == ""
    assert await place.read(place.status(path="/elsewhere")) == ""


async def test_a_path_may_lack_its_slash(place: Place) -> None:
    place.file.write_text("words")
    assert await place.read(place.status(path=PATH.removeprefix("/"))) == "words"


async def test_a_link_leads_nowhere_outside_of_the_pods_directory(place: Place, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    place.file.symlink_to(tmp_path / "secret")
    assert await place.read(place.status()) == ""
    place.file.unlink()
    place.file.symlink_to("../../../../secret")
    assert await place.read(place.status(attempt=1)) == ""


async def test_a_log_that_is_a_link_to_elsewhere_is_not_read(place: Place, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("2026-01-02T03:04:05Z stdout F secret\n")
    place.log.symlink_to(tmp_path / "secret")
    assert "secret" not in await place.read(place.status(policy="FallbackToLogsOnError"))
    outside = place.status(policy="FallbackToLogsOnError", log_path=str(tmp_path / "secret"), attempt=1)
    assert "not below" in await place.read(outside)


def test_a_file_outside_of_the_pods_directory_is_no_message(place: Place) -> None:
    mounts = (
        MountStatus(container_path=PATH, host_path="/etc/shadow"),
        MountStatus(container_path=PATH, host_path=str(place.file)),
    )
    status = place.status(mounts=mounts)
    assert message_source(status, str(place.pod)) == MessageSource(file=str(place.file))
    assert message_source(place.status(mounts=mounts[:1]), str(place.pod)) == MessageSource()


async def test_a_pipe_or_a_directory_is_not_waited_for(place: Place) -> None:
    os.mkfifo(place.file)
    assert await place.read(place.status()) == (
        f"Error on reading termination log {place.file}: it is not a regular file"
    )
    place.file.unlink()
    place.file.mkdir()
    assert "it is not a regular file" in await place.read(place.status(attempt=1))


async def test_an_instance_is_read_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.file.write_text("first")
    status = place.status()
    assert await place.read(status) == "first"
    place.file.write_text("second")
    assert await place.read(status, running("other")) == "first"
    monkeypatch.setattr(termination_messages, "read_message", None)
    assert await place.read(status) == "first"


async def test_what_is_gone_is_forgotten(place: Place) -> None:
    place.file.write_text("first")
    status = place.status()
    await place.read(status)
    assert await place.messages.of(observed()) == {}
    place.file.write_text("second")
    assert await place.read(status) == "second"
    place.messages.retain(["uid-web"])
    place.file.write_text("third")
    assert await place.read(status) == "second"
    place.messages.retain([])
    assert await place.read(status) == "third"


async def test_only_the_instances_that_are_shown_are_read(place: Place) -> None:
    place.file.write_text("words")
    statuses = [place.status(attempt=attempt) for attempt in (3, 2, 1)]
    found = await place.messages.of(observed(running(attempt=4), *statuses))
    assert found == {"main-3": "words"}
    assert set(await place.messages.of(observed(*statuses))) == {"main-3", "main-2"}


async def test_an_instance_without_its_mounts_is_looked_at_again(place: Place) -> None:
    place.file.write_text("words")
    assert await place.read(place.status(mounts=())) == ""
    assert await place.read(place.status()) == "words"
    assert await place.read(place.status(mounts=())) == "words"
