"""The process gateway on real processes: output, input, limits, deadlines, and nothing left open."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.errors import DeadlineExceeded, FailedPrecondition
from podwright.linux import proc
from podwright.process import (
    Command,
    PosixProcessRunner,
    Process,
    find_executable,
    keep_descriptors_to_ourselves,
    read_line,
)
from tests.harness.descriptors import opened

RUNNER = PosixProcessRunner()
NAP = f"sleep 1234.{os.getpid()}"  # nobody else on this machine has it


def _sh(script: str, **options: object) -> Command:
    return Command(argv=("sh", "-c", script), **{"timeout_s": 10.0, **options})  # type: ignore[arg-type] # mixed keywords


async def test_output_streams_and_code_are_kept_apart() -> None:
    done = await RUNNER.run(_sh("echo out; echo err >&2; exit 3"))
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


async def test_signal_is_a_negative_code_and_128_plus_for_shells() -> None:
    done = await RUNNER.run(_sh("kill -TERM $$"))
    assert done.returncode == -signal.SIGTERM
    assert done.shell_code == 143


async def test_stdin_is_fed_whole() -> None:
    data = os.urandom(3_000_000)
    done = await RUNNER.run(Command(argv=("cat",), timeout_s=patient(60), stdin=data))
    assert done.stdout == data


async def test_a_child_that_reads_nothing_is_no_error() -> None:
    done = await RUNNER.run(_sh("exec <&-; exit 0", stdin=b"x" * 1_000_000))
    assert done.returncode == 0


async def test_output_beyond_the_limit_is_dropped_and_the_child_lives() -> None:
    done = await RUNNER.run(_sh("head -c 5000000 /dev/zero; echo done >&2", output_limit_bytes=1000))
    assert len(done.stdout) == 1000
    assert done.stderr == b"done\n"


async def test_deadline_kills_the_whole_group() -> None:
    with pytest.raises(DeadlineExceeded, match=r"0\.3 s"):
        await RUNNER.run(_sh(f"{NAP}1 & wait", timeout_s=0.3))
    await _until(running=False, text=f"{NAP}1")


async def test_cancellation_kills_too() -> None:
    task = asyncio.create_task(RUNNER.run(_sh(f"{NAP}2 & wait")))
    await _until(running=True, text=f"{NAP}2")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until(running=False, text=f"{NAP}2")


async def test_a_grandchild_that_holds_the_pipe_delays_only_for_the_drain_time() -> None:
    done = await RUNNER.run(_sh("sleep 1000 & echo $!", drain_s=0.2))
    os.kill(int(done.stdout), signal.SIGKILL)


async def test_missing_program_says_its_name() -> None:
    with pytest.raises(FailedPrecondition, match="no-such-program"):
        await RUNNER.run(Command(argv=("no-such-program",), timeout_s=1))
    with pytest.raises(FailedPrecondition, match="/no/such/path"):
        await RUNNER.run(Command(argv=("/no/such/path",), timeout_s=1))


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("/usr/bin/crun", "--version"), "crun"),
        ((sys.executable, "-I", "/x/unpack/__main__.py", "1"), "unpack"),
        ((sys.executable, "/x/launching.py", "y.py"), "launching"),
        (("cat", "a.py"), "cat"),
    ],
)
def test_a_script_of_ours_has_its_own_name(argv: tuple[str, ...], name: str) -> None:
    assert Command(argv=argv, timeout_s=1).name == name


async def test_what_no_program_can_be_given_is_an_error_of_its_own() -> None:
    for command in (
        Command(argv=("true", "a\0b"), timeout_s=1),
        Command(argv=("true",), env={"A=B": ""}, timeout_s=1),
    ):
        with pytest.raises(FailedPrecondition, match=r"cannot run .*/true: its arguments or its environment"):
            await RUNNER.run(command)


async def test_a_child_that_cannot_be_watched_is_not_left_alone() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        with pytest.raises(FailedPrecondition, match=r"cannot watch \S*/sh: Too many open files"):
            RUNNER.start(_sh(NAP))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken:
            os.close(fd)
    await _until(running=False, text=NAP)


async def test_environment_is_clean() -> None:
    os.environ["PODWRIGHT_TEST_SECRET"] = "x"
    try:
        done = await RUNNER.run(Command(argv=("env",), timeout_s=patient(60)))
    finally:
        del os.environ["PODWRIGHT_TEST_SECRET"]
    assert {line.split(b"=")[0] for line in done.stdout.splitlines()} <= {b"PATH", b"PWD", b"SHLVL", b"_"}


async def test_descriptors_are_passed_by_number_even_when_they_cross() -> None:
    first, second = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    try:
        # The child's 3 and 4 are each other's sources here, whatever numbers the pipes got.
        process = RUNNER.start(_sh("echo three >&3; echo four >&4", fds={3: first[1], 4: second[1]}))
        assert await read_line(first[0], 100) == b"three"
        assert await read_line(second[0], 100) == b"four"
        assert await process.wait() == 0
    finally:
        for fd in (*first, *second):
            os.close(fd)


async def test_child_gets_no_other_descriptors() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    keep_descriptors_to_ourselves()
    done = await RUNNER.run(Command(argv=("ls", "/proc/self/fd"), timeout_s=patient(60)))
    os.close(reader)
    os.close(writer)
    assert {int(word) for word in done.stdout.split()} <= {0, 1, 2, 3}


async def test_a_child_has_no_input_unless_it_is_given_some() -> None:
    """And the host's /dev/null is not what it reads: a runtime may give its stdio to somebody else."""
    done = await RUNNER.run(_sh("stat -Lc %F /proc/self/fd/0; cat; echo end"))
    assert done.stdout == b"fifo\nend\n"


@pytest.mark.root
async def test_pipes_belong_to_who_is_to_open_them_by_name() -> None:
    script = "stat -Lc %u:%g /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2"
    done = await RUNNER.run(_sh(script, owner=(4321, 8765), stdin=b"x"))
    assert done.stdout == b"4321:8765\n" * 3


@pytest.mark.root
async def test_a_score_for_the_oom_killer_is_inherited() -> None:
    done = await RUNNER.run(
        _sh("sleep 0.3; cat /proc/self/oom_score_adj; (cat /proc/self/oom_score_adj)", oom_score_adj=345)
    )
    assert done.stdout == b"345\n345\n"


async def test_adopting_tells_a_process_from_a_later_one() -> None:
    process = RUNNER.start(Command(argv=("sleep", "0.3"), timeout_s=patient(60)))
    start = proc.start_time(process.pid)
    assert start is not None
    assert Process.adopt(process.pid, start + 1) is None
    adopted = Process.adopt(process.pid, start)
    assert adopted is not None
    await asyncio.gather(process.wait(), adopted.wait())
    assert Process.adopt(process.pid, start) is None


async def test_nothing_stays_open() -> None:
    await RUNNER.run(_sh("true"))
    before = opened()
    for _ in range(20):
        await RUNNER.run(_sh("echo x; exit 1", stdin=b"y"))
        with pytest.raises(FailedPrecondition):
            await RUNNER.run(Command(argv=("/no/such/path",), timeout_s=1, stdin=b"y"))
    assert not opened() - before


def test_programs_are_found_in_the_safe_path() -> None:
    assert find_executable("sh").endswith("/sh")
    assert find_executable("/any/path") == "/any/path"


async def _until(*, running: bool, text: str) -> None:
    """Wait until some process has these arguments, or none."""
    async with asyncio.timeout(patient(60)):
        while _running(text) != running:  # noqa: ASYNC110 # nobody tells us
            await asyncio.sleep(0.01)


def _running(text: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes().replace(b"\0", b" "):
                return True
        except OSError:
            continue
    return False
