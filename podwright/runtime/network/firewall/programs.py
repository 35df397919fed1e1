"""Runs nft and iptables."""

from __future__ import annotations

from podwright.errors import FailedPrecondition
from podwright.process import Command, ProcessRunner

TIMEOUT_S = 15.0


async def run(runner: ProcessRunner, argv: tuple[str, ...], stdin: str) -> str:
    """The output. Raises FailedPrecondition if the program fails, and DeadlineExceeded if it hangs."""
    done = await runner.run(Command(argv=argv, timeout_s=TIMEOUT_S, stdin=stdin.encode()))
    if done.returncode != 0:
        raise FailedPrecondition(f"{argv[0]}: {done.error_text()}")
    return done.stdout.decode(errors="replace")
