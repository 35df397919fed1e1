"""The embedded daemon: slots, start, stop, and what a killed run leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from podwright.agent.run import run_agent
from podwright.agent.run.daemon import Slot, held_slot, probe, serve_command
from podwright.agent.run.options import RunOptions
from podwright.agent.runtime import watch
from podwright.conformance.patience import patient
from tests.agent.run.real import PodFiles, Run
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright

SLEEPER = """\
{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: 'busybox:1.36',
command: [sh, -c, "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done"]}]}}
"""
DONE = SLEEPER.replace("trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done", "echo done").replace(
    "containers:", "restartPolicy: Never, containers:"
)


def options(directory: Path) -> RunOptions:
    return RunOptions(paths=("-",), embedded_root=str(directory / "root"), embedded_state=str(directory / "state"))


def test_runs_side_by_side_get_slots_of_their_own(tmp_path: Path) -> None:
    with held_slot(options(tmp_path)) as first, held_slot(options(tmp_path)) as second:
        assert first.root != second.root
        assert first.endpoint != second.endpoint
    with held_slot(options(tmp_path)) as again:
        assert again == first


def test_the_daemon_is_our_own_and_does_not_import_from_here(tmp_path: Path) -> None:
    command = serve_command(Slot(root="/r", state="/s"), "/c.toml", {})
    assert command.argv[0] == sys.executable
    assert "-P" in command.argv
    assert command.argv[-2:] == ("--config", "/c.toml")
    assert "unix:///s/podwright.sock" in command.argv


async def test_nothing_answers_where_nothing_listens(tmp_path: Path) -> None:
    assert await probe(f"unix://{tmp_path}/none.sock") is None
    (tmp_path / "file.sock").write_text("")
    assert await probe(f"unix://{tmp_path}/file.sock") is None


@pytest.fixture
def daemon_files(fresh_podwright: FreshPodwright) -> Podwright:
    """A configuration and directories for an embedded daemon, which the run starts itself."""
    return fresh_podwright(start=False)


def embedded_run(files: Podwright, text: str, **changes: object) -> Run:
    file = files.directory / "pod.yaml"
    file.write_text(text)
    values = {
        "paths": (str(file),),
        "endpoint": f"unix://{files.directory}/none.sock",
        "config_file": str(files.config),
        "root": str(files.directory / "agent"),
        "log_root": str(files.directory / "logs"),
        "embedded_root": str(files.root),
        "embedded_state": str(files.state),
        **changes,
    }
    return Run(options=RunOptions(**values))  # type: ignore[arg-type] # tests give the right ones


async def test_detach_needs_a_daemon_that_stays(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(SLEEPER)
    run = Run(
        options=RunOptions(
            paths=(str(file),),
            endpoint=f"unix://{tmp_path}/x.sock",
            detach=True,
            root=str(tmp_path),
            embedded_root=str(tmp_path),
            embedded_state=str(tmp_path),
        )
    )
    assert await run.code() == 1
    assert "podwright serve" in run.seen.errors[0]


@pytest.mark.root
async def test_a_daemon_that_does_not_start_says_why(daemon_files: Podwright) -> None:
    daemon_files.config.write_text("no_such_key = 1\n")
    run = embedded_run(daemon_files, SLEEPER)
    assert await run.code() == 1
    assert "no_such_key" in run.seen.errors[0]


@pytest.mark.root
async def test_a_run_brings_its_own_daemon_and_takes_it_away(daemon_files: Podwright) -> None:
    run = embedded_run(daemon_files, DONE)
    assert await run.code() == 0
    assert run.seen.text("c") == ["done"]
    assert run.seen.infos[0].startswith("starting podwright serve")
    assert run.seen.infos[1].startswith("using embedded podwright")
    assert await probe(Slot(root="", state=str(daemon_files.state / "0")).endpoint) is None
    again = embedded_run(daemon_files, DONE)
    assert await again.code() == 0
    assert not again.seen.pulls  # the image is still there


def start_command(files: Podwright, text: str, **environment: str) -> subprocess.Popen[str]:
    """`podwright run` as people start it."""
    run = embedded_run(files, text).options
    argv = [sys.executable, "-m", "podwright", "--endpoint", str(run.endpoint), "run"]
    argv += ["--config", str(run.config_file), "--root", run.embedded_root, "--state", run.embedded_state]
    argv += ["--log-root", run.log_root, *run.paths]
    env = {**os.environ, **environment}
    return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


async def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    def read() -> None:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if text in line:
                return
        pytest.fail("".join(seen))

    await asyncio.wait_for(asyncio.to_thread(read), patient(60))


def finish(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@pytest.mark.root
async def test_a_daemon_that_is_started_again_changes_nothing(fresh_podwright: FreshPodwright, tmp_path: Path) -> None:
    server = fresh_podwright()
    async with server.client() as client:
        run = PodFiles(peer=server.peer(client), directory=tmp_path).run(SLEEPER)
        task = asyncio.create_task(run.code())
        await run.until(lambda seen: seen.text("c"), task)
        await asyncio.to_thread(server.kill9)
        await asyncio.to_thread(server.start)
        run.stop.ask()
        assert await task == 0, run.seen
    assert run.seen.states("c") == ["running", "exited:0"]
    assert not run.seen.errors


@pytest.mark.root
async def test_a_daemon_that_is_gone_ends_the_run(
    fresh_podwright: FreshPodwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PERIOD_S", 0.5)
    monkeypatch.setattr(run_agent, "CHECK_S", 0.2)
    server = fresh_podwright()
    async with server.client() as client:
        files = PodFiles(peer=server.peer(client), directory=tmp_path)
        run = files.run(SLEEPER)
        task = asyncio.create_task(run.code())
        await run.until(lambda seen: seen.text("c"), task)
        await asyncio.to_thread(server.kill9)
        monkeypatch.setattr(watch, "SILENT_S", 1.0)
        monkeypatch.setattr(run_agent, "PATIENCE_S", 0.5)
        assert await task == 1
        assert "the runtime cannot be used" in run.seen.errors[-1]
        monkeypatch.undo()
        await asyncio.to_thread(server.start)
        assert await files.run(DONE).code() == 0  # and ends what was left


@pytest.mark.root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_the_pod_and_the_daemon(daemon_files: Podwright, number: signal.Signals) -> None:
    process = start_command(daemon_files, SLEEPER)
    try:
        await wait_for_line(process, "[c] up")
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, patient(60)) == 0
    finally:
        finish(process)
    assert not list((daemon_files.root / "agent/runs").iterdir())


@pytest.mark.root
async def test_a_service_manager_hears_how_far_it_is(daemon_files: Podwright) -> None:
    address = daemon_files.directory / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(patient(60))
        process = start_command(daemon_files, SLEEPER, NOTIFY_SOCKET=str(address))
        try:
            assert await asyncio.to_thread(manager.recv, 100) == b"READY=1"
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(manager.recv, 100) == b"STOPPING=1"
            assert await asyncio.to_thread(process.wait, patient(60)) == 0
        finally:
            finish(process)


@pytest.mark.root
async def test_the_next_run_cleans_up_after_one_that_was_killed(daemon_files: Podwright) -> None:
    process = start_command(daemon_files, SLEEPER)
    try:
        await wait_for_line(process, "[c] up")
        process.send_signal(signal.SIGKILL)
    finally:
        finish(process)
    runs = daemon_files.root / "agent/runs"
    assert len(list(runs.iterdir())) == 2  # the record, and what its agent has
    run = embedded_run(daemon_files, DONE, root=str(runs.parent))
    assert await run.code() == 0
    assert "removed what an interrupted run had left" in run.seen.infos
    assert not list(runs.iterdir())
    assert not os.listdir(daemon_files.directory / "logs")
