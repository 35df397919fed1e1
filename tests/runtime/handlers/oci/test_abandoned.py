"""Which processes are an OCI runtime's calls for a daemon, and that they end; real processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.runtime.handlers.oci.abandoned import end_calls, is_call

SLEEP = ("-c", "import time; print(1, flush=True); time.sleep(1000)")


@contextmanager
def process(*arguments: str, leads: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """A process with these arguments, past its exec."""
    argv = [sys.executable, *SLEEP, *arguments]
    with subprocess.Popen(argv, start_new_session=leads, stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout is not None
            started.stdout.readline()
            yield started
        finally:
            started.kill()


@pytest.mark.parametrize(
    ("argument", "leads", "ours"),
    [
        ("--root={state}/crun", True, True),
        ("--root={state}/a handler", True, True),
        ("--root={state}/crun", False, False),  # a monitor's child
        ("--root={state}-other/crun", True, False),
        ("--runtime-arg=--root={state}/crun", True, False),  # a monitor
        ("{state}/crun", True, False),
    ],
)
def test_what_is_a_call(tmp_path: Path, argument: str, leads: bool, ours: bool) -> None:
    with process(argument.format(state=tmp_path), leads=leads) as started:
        assert is_call(started.pid, str(tmp_path)) is ours
    assert not is_call(started.pid, str(tmp_path))


def test_all_of_them_end_and_nobody_else(tmp_path: Path) -> None:
    with ExitStack() as stack:
        calls = [stack.enter_context(process(f"--root={tmp_path}/crun", "run")) for _ in range(3)]
        other = stack.enter_context(process(f"--root={tmp_path}-other/crun", "run"))
        end_calls(str(tmp_path))
        assert [call.wait(timeout=patient(60)) for call in calls] == [-9] * 3
        assert other.poll() is None
