"""Lets `podwright bench`, which is another process, restart a server that this one has started.

The command that it is given says so in one pipe and waits for an answer in another: two milliseconds, while a program
of ours would need fifty to start.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Protocol

DONE, FAILED = "done", "failed"


class Restartable(Protocol):
    """A server of the tests' harness."""

    def stop(self) -> int:
        """End it and wait for that."""

    def spawn(self) -> None:
        """Start it again and do not wait."""


def serve_restarts(server: Restartable, directory: Path) -> str:
    """Restart the server whenever the shell script that is returned runs; a thread does it until this process ends.

    The directory is made, for the two pipes.
    """
    directory.mkdir(exist_ok=True)
    asked, answered = directory / "asked", directory / "answered"
    for pipe in (asked, answered):
        os.mkfifo(pipe, 0o600)
    threading.Thread(target=_serve, args=(server, asked, answered), daemon=True).start()
    return f'echo now > {asked}; read answer < {answered}; test "$answer" = {DONE}'


def _serve(server: Restartable, asked: Path, answered: Path) -> None:
    while True:
        asked.read_text()
        try:
            server.stop()
            server.spawn()
        except (OSError, RuntimeError) as failure:
            answered.write_text(f"{FAILED}: {failure}\n")
        else:
            answered.write_text(f"{DONE}\n")
