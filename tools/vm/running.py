"""One suite in a guest: pytest is started there, and what it says is kept line by line, until its time is over."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from podwright.conformance.patience import VARIABLE
from tools.vm.guest import Shell
from tools.vm.recipe import TREE
from tools.vm.results import Journal, parse
from tools.vm.suites import RECORDED, Driver, Suite, pytest_argv

STOP_TIMEOUT_S = 300.0
DECIDED = (0, 1, 5)  # pytest's exit codes when it has run all that it collected; 5: all are settled already


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRun:
    """A suite to run, and the file for pytest's own output."""

    suite: Suite
    driver: Driver
    patience: float
    select: str
    log: Path

    def run(self, shell: Shell, journal: Journal, *, limit_s: float) -> bool:
        """Run the tests that are not settled yet. Returns whether pytest reached its end. Raises VmError.

        One that has not may still run: see Shell.end_tests.
        """
        shell.write(RECORDED, "\n".join(journal.settled()))
        command = (
            "env",
            "-C",
            TREE,
            f"{VARIABLE}={self.patience:g}",
            *pytest_argv(self.suite, self.driver, self.select),
        )
        deadline = time.monotonic() + limit_s
        with shell.streaming(command, log=self.log) as process, self.log.open("a") as log:
            lines = _lines_of(process)
            while (line := _next(lines, deadline)) is not None:
                if (outcome := parse(line)) is None:
                    log.write(line)
                    continue
                journal.add(outcome)
                print(f"{outcome.outcome:8} {outcome.seconds:7.1f} s  {outcome.test}", flush=True)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(max(0.0, min(STOP_TIMEOUT_S, deadline - time.monotonic()))) in DECIDED
        print(f"the time limit of {limit_s / 60:.0f} min is over", flush=True)
        return False


def _lines_of(process: subprocess.Popen[str]) -> queue.Queue[str | None]:
    """Its stdout, a line each; None at the end."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, name="lines of the guest", daemon=True).start()
    return lines


def _next(lines: queue.Queue[str | None], deadline: float) -> str | None:
    try:
        return lines.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        return None
