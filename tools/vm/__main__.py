"""The command line of `make vm-test`: each host in turn, and on it each cgroup driver and each suite."""

from __future__ import annotations

import argparse
import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

from tools.vm.failure import VmError
from tools.vm.guest import Shell
from tools.vm.image import Image, image_for
from tools.vm.machine import machine
from tools.vm.page import Record, put, versions
from tools.vm.process import require_programs
from tools.vm.recipe import TREE as GUEST_TREE
from tools.vm.recipe import VENV
from tools.vm.results import Counts, Journal, Outcome, counted
from tools.vm.running import SuiteRun
from tools.vm.suites import DRIVERS, PYTHON, SUITES, Driver
from tools.vm.systems import SYSTEMS, System

TREE = Path(__file__).resolve().parents[2]
BUILD = TREE / "build/vm"
PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "ssh": "openssh-client",
    "setpriv": "util-linux",
}
DOCTOR_TIMEOUT_S = 300.0
COMPILE_TIMEOUT_S = 1800.0


def main() -> int:
    """0 when nothing failed, 1 when a test did, 2 when a machine could not be had."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # leave by an exception: all is ended and removed on the way
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    arguments = _arguments()
    started = time.monotonic()
    try:
        require_programs(PROGRAMS)
        good = [_host(SYSTEMS[name], arguments, started) for name in arguments.system or SYSTEMS]
    except VmError as failure:
        print(f"vm-test: {failure}", file=sys.stderr)
        return 2
    return 0 if all(good) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.vm", description="tests on hosts in virtual machines")
    parser.add_argument("--system", action="append", choices=list(SYSTEMS), help="(all)")
    parser.add_argument("--driver", action="append", choices=DRIVERS, help="(both)")
    parser.add_argument("--suite", action="append", choices=list(SUITES), help="(all)")
    parser.add_argument("--minutes", type=float, default=600.0, help="for everything; what is left is done next time")
    parser.add_argument("--patience", type=float, help="multiplies the tests' deadlines (1 with KVM, 15 without)")
    parser.add_argument("--again", action="store_true", help="forget the outcomes that are kept for this commit")
    parser.add_argument("--publish", action="store_true", help="write docs/hosts.md")
    parser.add_argument("pytest", nargs="*", help="further arguments for pytest, after --")
    return parser.parse_args()


def _host(system: System, arguments: argparse.Namespace, started: float) -> bool:
    image = image_for(system, TREE, BUILD / "images")
    folder = BUILD / system.name
    good = True
    print(f"== {system.name}: booting; its console is {folder / 'console.log'}", flush=True)
    with machine(image, folder) as shell:
        print(f"== {system.name}: runs, by {shell.accelerator.upper()}", flush=True)
        shell.copy_tree(TREE)
        compile_all = (PYTHON, "-m", "compileall", "-q", "-j2", "podwright", "tests", "tools")
        shell.run(("env", "-C", GUEST_TREE, *compile_all), timeout_s=COMPILE_TIMEOUT_S)
        print(shell.run((f"{VENV}/bin/podwright", "doctor"), timeout_s=DOCTOR_TIMEOUT_S), flush=True)
        for driver in arguments.driver or DRIVERS:
            good &= _driver(system, driver, shell, image, arguments, started)
    return good


def _driver(
    system: System, driver: Driver, shell: Shell, image: Image, arguments: argparse.Namespace, started: float
) -> bool:
    counts: dict[str, Counts] = {}
    failed: list[str] = []
    for name in arguments.suite or SUITES:
        left_s = arguments.minutes * 60 - (time.monotonic() - started)
        if left_s <= 0:
            print(f"== {system.name}, {driver}: no time is left for {name}", flush=True)
            continue
        outcomes, complete = _suite(name, driver, shell, system, arguments, left_s)
        counts[name] = counted(outcomes, complete=complete)
        failed += [outcome.test for outcome in outcomes if outcome.outcome == "failed"]
        print(f"== {system.name}, {driver}, {name}: {counts[name]}", flush=True)
    if arguments.publish and counts:
        kernel = shell.run(("uname", "-r"), timeout_s=DOCTOR_TIMEOUT_S).strip()
        record = Record(
            system=system.name,
            driver=driver,
            date=time.strftime("%Y-%m-%d"),
            commit=_commit(),
            accelerator=shell.accelerator,
            versions=versions(image.packages.read_text(), kernel),
            suites=counts,
            failed=tuple(failed),
        )
        put(record, TREE / "docs")
    return not failed and all(each.complete for each in counts.values())


def _suite(
    name: str, driver: Driver, shell: Shell, system: System, arguments: argparse.Namespace, left_s: float
) -> tuple[list[Outcome], bool]:
    folder = BUILD / system.name / _commit()
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / f"{name}-{driver}.jsonl")
    if arguments.again:
        journal.forget()
    run = SuiteRun(
        suite=SUITES[name],
        driver=driver,
        patience=arguments.patience or (1.0 if shell.accelerator == "kvm" else 15.0),
        more=tuple(arguments.pytest),
        log=folder / f"{name}-{driver}.log",
    )
    complete = run.run(shell, journal, limit_s=min(left_s, SUITES[name].minutes * 60))
    return journal.outcomes(), complete


def _commit() -> str:
    """What is tested: the commit, and a mark of what was changed since. Outcomes are kept under this name."""
    head, changes = (_git(*words) for words in (("rev-parse", "--short=12", "HEAD"), ("diff", "HEAD")))
    mark = f"+{hashlib.sha256(changes.encode()).hexdigest()[:8]}" if changes else ""
    return f"{head.strip()}{mark}"


def _git(*words: str) -> str:
    command = ("git", "-C", str(TREE), *words)
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


if __name__ == "__main__":
    sys.exit(main())
