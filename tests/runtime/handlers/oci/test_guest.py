"""Containers in a sandbox: the waiter that conmon runs in the runtime's place, and usage as the runtime prints it."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.process import Command, PosixProcessRunner
from podwright.runtime.handlers.oci import guest, waiter

RUNTIME = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/calls"
case $* in
    *" wait "*) [ -z "$WAIT_FAILS" ] || exit 1; echo '{"id":"x","exitStatus":'"$CODE"'}' ;;
    *" start "*) exit "$START" ;;
esac
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    path = tmp_path / "runtime"
    path.write_text(RUNTIME)
    path.chmod(0o755)
    return path


async def run(runtime: Path, **env: str) -> tuple[int, Path]:
    launcher = waiter.install(str(runtime.parent / "launchers/waiter"))
    pid_file = runtime.parent / "pid file"
    argv = (*launcher, str(runtime), "--root=a b", "create", "--bundle", "/b", "--pid-file", str(pid_file), "the-id")
    env = {"PATH": os.environ["PATH"], "CODE": "0", "START": "0", "WAIT_FAILS": "", **env}
    done = await PosixProcessRunner().run(Command(argv=argv, timeout_s=patient(60.0), env=env))
    return done.returncode, pid_file


async def test_it_creates_starts_and_waits(runtime: Path) -> None:
    code, pid_file = await run(runtime, CODE="7")
    assert code == 0
    assert int(pid_file.read_text()) > 1
    calls = runtime.parent / "calls"
    deadline = time.monotonic() + patient(60)
    while len(lines := calls.read_text().splitlines()) < 3 and time.monotonic() < deadline:  # noqa: ASYNC110 # a file
        await asyncio.sleep(0.01)
    created = f"--root=a b create --bundle /b --pid-file {pid_file} the-id"
    assert lines == [created, "--root=a b start the-id", "--root=a b wait the-id"]


async def test_a_start_that_fails_is_the_creates_failure(runtime: Path) -> None:
    code, pid_file = await run(runtime, START="3")
    assert code == 3
    assert not pid_file.exists()


def test_usage() -> None:
    printed = (
        b'{"type":"stats","id":"c","data":{"cpu":{"usage":{"total":15}},"memory":{"usage":{"limit":0,"usage":40}}}}'
    )
    told = guest.usage(printed, 3)
    assert told is not None
    assert told.memory is not None
    assert (told.timestamp, told.cpu_ns, told.memory.usage_bytes) == (3, 15, 40)


@pytest.mark.parametrize("printed", [b"", b"[]", b"nonsense", b'{"data": 3}', b'{"data":{"cpu":"x"}}'])
def test_what_is_no_usage(printed: bytes) -> None:
    assert guest.usage(printed, 3) is None
