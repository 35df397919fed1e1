"""Agents that take turns by a file."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from podwright.agent.lock_file import hold_file
from podwright.conformance.patience import patient
from podwright.errors import FailedPrecondition
from tests.harness.agent import AgentProcess
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch

WAIT_S = patient(60.0)
POLL_S = 0.02


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The file as another process holds it: flock(2) tells descriptors of one process apart."""
    deadline = time.monotonic() + WAIT_S
    with path.open("r+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < deadline, f"{path} is still held"
                time.sleep(POLL_S)
        yield


async def test_it_waits_for_its_turn_and_then_holds_the_file(tmp_path: Path) -> None:
    path, entered = tmp_path / "lock", asyncio.Event()
    path.touch()

    async def take_turn() -> None:
        async with hold_file(str(path)):
            entered.set()
            await asyncio.Event().wait()

    with locked(path):
        task = asyncio.create_task(take_turn())
        await asyncio.sleep(0)
        assert not entered.is_set()
    try:
        async with asyncio.timeout(WAIT_S):
            await entered.wait()
        descriptor = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
    finally:
        task.cancel()
        await asyncio.wait({task})
    with locked(path):  # nobody holds it any more
        pass


async def test_it_tells_when_another_process_wants_the_file(tmp_path: Path) -> None:
    wanted = asyncio.Event()
    async with hold_file(str(tmp_path / "lock"), wanted.set):
        await asyncio.sleep(0)
        assert not wanted.is_set()
        os.close(os.open(tmp_path / "lock", os.O_RDWR))
        async with asyncio.timeout(WAIT_S):
            await wanted.wait()


async def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=f"lock file {tmp_path} cannot be used: Is a directory"):
        async with hold_file(str(tmp_path)):
            pass


@pytest.mark.root
def test_an_agent_stops_when_its_file_is_wanted(podwright_server: Podwright, scratch: Scratch) -> None:
    part = scratch.part("agent")
    path = part.directory / "lock"
    flags = (f"--lock-file={path}", "--exit-on-lock-contention")
    with AgentProcess(part, podwright_server.endpoint, flags=flags) as agent, locked(path):
        agent.until(lambda: agent.returncode is not None, "the agent has stopped")
        assert agent.returncode == 0
