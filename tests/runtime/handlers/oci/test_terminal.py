"""A terminal's master on its way from a runtime to us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from podwright.conformance.patience import patient
from podwright.errors import DeadlineExceeded
from podwright.process import Process
from podwright.runtime.handlers.oci.terminal import ConsoleSocket

WAIT_S = patient(60.0)


class Runtime:
    """A runtime's process, which ends when it is told to."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def wait(self) -> int:
        await self.ended.wait()
        return 0


@contextlib.contextmanager
def console(folder: Path) -> Iterator[tuple[ConsoleSocket, socket.socket]]:
    """Where the master is awaited, and a connection to it."""
    path = str(folder / "console.sock")
    with contextlib.closing(ConsoleSocket(path)) as made, socket.socket(socket.AF_UNIX) as theirs:
        theirs.connect(path)
        yield made, theirs
    assert not os.path.exists(path)


def awaited(made: ConsoleSocket, runtime: Runtime, timeout_s: float = WAIT_S) -> asyncio.Task[int]:
    return asyncio.create_task(made.master(cast("Process", runtime), timeout_s))


async def test_what_is_sent_comes(tmp_path: Path) -> None:
    with console(tmp_path) as (made, theirs), open(tmp_path / "terminal", "wb") as terminal:
        waiting = awaited(made, Runtime())
        await asyncio.sleep(0.01)
        socket.send_fds(theirs, [b"/dev/ptmx"], [terminal.fileno()])
        master = await waiting
        assert os.readlink(f"/proc/self/fd/{master}") == terminal.name
        os.close(master)


async def test_what_was_sent_before_the_end_comes(tmp_path: Path) -> None:
    runtime = Runtime()
    with console(tmp_path) as (made, theirs), open(tmp_path / "terminal", "wb") as terminal:
        socket.send_fds(theirs, [b"/dev/ptmx"], [terminal.fileno()])
        runtime.ended.set()
        master = await awaited(made, runtime)
        assert master >= 0
        os.close(master)


@pytest.mark.parametrize("said", [b"", b"a name alone"])
async def test_a_runtime_that_ends_without_a_terminal(tmp_path: Path, said: bytes) -> None:
    runtime = Runtime()
    with console(tmp_path) as (made, theirs):
        waiting = awaited(made, runtime)
        theirs.sendall(said)
        theirs.close()
        await asyncio.sleep(0.01)
        assert not waiting.done()
        runtime.ended.set()
        assert await waiting == -1


async def test_a_runtime_that_hangs(tmp_path: Path) -> None:
    with console(tmp_path) as (made, _), pytest.raises(DeadlineExceeded):
        await awaited(made, Runtime(), timeout_s=0.02)


async def test_a_connection_that_was_closed_is_waited_for_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is readable for ever."""
    looks: list[int] = []
    take = ConsoleSocket._take

    def counted(self: ConsoleSocket) -> int:
        looks.append(take(self))
        return looks[-1]

    monkeypatch.setattr(ConsoleSocket, "_take", counted)
    with console(tmp_path) as (made, theirs):
        waiting = awaited(made, Runtime(), timeout_s=0.1)
        theirs.close()
        with pytest.raises(DeadlineExceeded):
            await waiting
    assert len(looks) <= 4
