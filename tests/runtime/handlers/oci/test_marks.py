"""The mark that all descendants of an exec carry."""

from __future__ import annotations

import os

import pytest

from podwright.conformance.patience import patient
from podwright.process import Command, PosixProcessRunner
from podwright.runtime.handlers.oci import marks


def test_marks_are_in_the_names_of_files_and_soon_not_given_again() -> None:
    tokens = [marks.new_token() for _ in range(marks.MARKS)]
    found = [marks.of_path(f"/run/x/{token}.pid") for token in tokens]
    assert None not in found
    assert len(set(found)) == len(found)
    assert all(mark and marks.LEAST_NS < mark < marks.USUAL_NS and mark % 100 for mark in found)


@pytest.mark.parametrize(
    "path", ["", "/run/exec-2710-0123456789abcdef/config.json", "exec-1", "exec-ABCD-0123456789abcdef"]
)
def test_other_files_have_none(path: str) -> None:
    assert marks.of_path(path) is None


def test_processes_of_no_exec_have_none() -> None:
    assert marks.mark_of(os.getpid()) is None
    assert marks.mark_of(1 << 22) is None


async def test_a_mark_is_inherited_and_our_own_slack_stays() -> None:
    mark = marks.LEAST_NS + 12345
    fork = "import os; os.fork() and os._exit(0); os.setsid(); print(open('/proc/self/timerslack_ns').read())"
    command = Command(argv=("python3", "-c", fork), timeout_s=patient(60), timer_slack_ns=mark)
    done = await PosixProcessRunner().run(command)
    assert int(done.stdout) == mark
    assert marks.mark_of(os.getpid()) is None
