"""Programs on this machine that the set-up runs to their end, with a deadline and a log."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.vm.failure import VmError

TAIL_BYTES = 3000


def run_logged(argv: Sequence[str], log: Path, *, timeout_s: float, what: str) -> None:
    """Run a program with its output in `log`. Raises VmError with the end of that when it fails or takes too long."""
    with log.open("wb") as out:
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False, timeout=timeout_s
            )
        except subprocess.TimeoutExpired as late:
            raise VmError(f"{what} did not end within {timeout_s:.0f} s; its output is in {log}") from late
    if done.returncode != 0:
        raise VmError(f"{what} failed with {done.returncode}; the end of {log}:\n{log_tail(log)}")


def log_tail(log: Path) -> str:
    """The end of a log."""
    return log.read_bytes()[-TAIL_BYTES:].decode(errors="replace") if log.exists() else ""


def require_programs(packages: dict[str, str]) -> None:
    """Raises VmError that names the packages whose program is missing; `packages` by program."""
    if missing := sorted({package for program, package in packages.items() if shutil.which(program) is None}):
        raise VmError(f"missing packages: {' '.join(missing)}; run `make vm-setup` as root")
