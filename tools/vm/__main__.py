"""The command line of `make vm-test`: each host in turn, and on it each cgroup driver and each suite."""

from __future__ import annotations

import argparse
import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools.vm.failure import VmError
from tools.vm.guest import Shell
from tools.vm.image import Image, image_for
from tools.vm.machine import machine
from tools.vm.page import Record, put, versions
from tools.vm.process import require_programs
from tools.vm.recipe import VENV
from tools.vm.results import Counts, Journal, Outcome, counted, skip_reasons
from tools.vm.running import SuiteRun
from tools.vm.suites import DRIVERS, SUITES, Driver
from tools.vm.systems import SYSTEMS, System
from tools.vm.tree import packed

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
DOCTOR_TIMEOUT_S = 900.0
PREPARE_TIMEOUT_S = 1800.0
# The kernel loads them at their first use. Without KVM that takes longer than Podwright waits for nft.
MODULES = ("bridge", "veth", "overlay", "nf_tables", "nft_chain_nat", "nft_masq", "nft_ct", "nft_fib_inet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The run that was requested. `ends_at` is on time.monotonic's clock; `commit` names the tree as it is now."""

    systems: tuple[System, ...]
    drivers: tuple[Driver, ...]
    suites: tuple[str, ...]
    select: str
    patience: float | None
    again: bool
    publish: bool
    commit: str
    ends_at: float
    nice: int

    @property
    def left_s(self) -> float:
        """The time that is left."""
        return self.ends_at - time.monotonic()


def main() -> int:
    """0 when nothing failed, 1 when a test did or time ran out, 2 when a machine could not be had."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # leave by an exception: all is ended and removed on the way
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    plan = _plan()
    try:
        require_programs(PROGRAMS)
        good = [_host(system, plan) for system in plan.systems]
    except VmError as failure:
        print(f"vm-test: {failure}", file=sys.stderr)
        return 2
    return 0 if all(good) else 1


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m tools.vm", description="tests on hosts in virtual machines")
    parser.add_argument("--system", action="append", choices=list(SYSTEMS), help="(all)")
    parser.add_argument("--driver", action="append", choices=DRIVERS, help="(both)")
    parser.add_argument("--suite", action="append", choices=list(SUITES), help="(all)")
    parser.add_argument("--minutes", type=float, default=600.0, help="for everything; what is left is done next time")
    parser.add_argument("--patience", type=float, help="multiplies the tests' deadlines (1 with KVM, 15 without)")
    parser.add_argument("--nice", type=int, default=15, help="of the machine: beside other work 15 is slow (15)")
    parser.add_argument("--again", action="store_true", help="forget the outcomes that are kept for this tree")
    parser.add_argument("--publish", action="store_true", help="write docs/hosts.md")
    parser.add_argument("--select", default="", help="pytest's -k: only these tests of the suites")
    given = parser.parse_args()
    return Plan(
        systems=tuple(SYSTEMS[name] for name in given.system or SYSTEMS),
        drivers=tuple(given.driver or DRIVERS),
        suites=tuple(given.suite or SUITES),
        select=given.select,
        patience=given.patience,
        again=given.again,
        publish=given.publish,
        commit=_commit(),
        ends_at=time.monotonic() + given.minutes * 60,
        nice=given.nice,
    )


def _host(system: System, plan: Plan) -> bool:
    image = image_for(system, TREE, BUILD / "images")
    tree = packed(TREE, image)
    folder = BUILD / system.name
    print(f"== {system.name}: booting; its console is {folder / 'console.log'}", flush=True)
    with machine(image, folder, nice=plan.nice) as shell:
        print(f"== {system.name}: runs, by {shell.accelerator.upper()}", flush=True)
        shell.unpack_tree(tree)
        shell.run(("modprobe", "--all", *MODULES), timeout_s=PREPARE_TIMEOUT_S)
        good = [_doctor(shell)]
        good += [_driver(system, driver, shell, image, plan) for driver in plan.drivers]
    return all(good)


def _doctor(shell: Shell) -> bool:
    """Show what `podwright doctor` says of the host; False when that lacks something, or the answer is late."""
    try:
        print(shell.run((f"{VENV}/bin/podwright", "doctor"), timeout_s=DOCTOR_TIMEOUT_S), flush=True)
    except VmError as failure:
        print(failure, flush=True)
        return False
    return True


def _driver(system: System, driver: Driver, shell: Shell, image: Image, plan: Plan) -> bool:
    good = True
    for name in plan.suites:
        outcomes, complete = _suite(name, driver, shell, system, plan)
        counts = counted(outcomes, complete=complete and not plan.select)
        print(f"== {system.name}, {driver}, {name}: {counts}", flush=True)
        if plan.publish and outcomes:  # a last result is better than none
            put(_record(name, outcomes, counts, system, driver, shell, image, plan), TREE / "docs")
        good = good and counts.complete and not counts.failed
    return good


def _record(
    suite: str,
    outcomes: list[Outcome],
    counts: Counts,
    system: System,
    driver: Driver,
    shell: Shell,
    image: Image,
    plan: Plan,
) -> Record:
    kernel = shell.run(("uname", "-r"), timeout_s=DOCTOR_TIMEOUT_S).strip()
    return Record(
        system=system.name,
        driver=driver,
        suite=suite,
        date=time.strftime("%Y-%m-%d"),
        commit=plan.commit,
        accelerator=shell.accelerator,
        versions=versions(image.packages.read_text(), kernel),
        counts=counts,
        failed=tuple(one.test for one in outcomes if one.outcome == "failed"),
        skipped=skip_reasons(outcomes),
    )


def _suite(name: str, driver: Driver, shell: Shell, system: System, plan: Plan) -> tuple[list[Outcome], bool]:
    """Run what is not settled, in the time that is left; all outcomes so far, and whether they are complete."""
    folder = BUILD / system.name / plan.commit
    journal = Journal(folder / f"{name}-{driver}.jsonl")
    if plan.again:
        journal.forget()
    if plan.left_s <= 0:
        print(f"== {system.name}, {driver}: no time is left for {name}", flush=True)
        return journal.outcomes(), False
    run = SuiteRun(
        suite=SUITES[name],
        driver=driver,
        patience=plan.patience or (1.0 if shell.accelerator == "kvm" else 15.0),
        select=plan.select,
        log=folder / f"{name}-{driver}.log",
    )
    complete = run.run(shell, journal, limit_s=min(plan.left_s, SUITES[name].minutes * 60))
    if not complete and plan.left_s > 0:  # otherwise nothing follows, and the machine ends
        shell.end_tests()
    return journal.outcomes(), complete


def _commit() -> str:
    """The name of the tested tree: its commit, and a mark of later changes. Outcomes are kept under it."""
    head, changes = (_git(*words) for words in (("rev-parse", "--short=12", "HEAD"), ("diff", "HEAD")))
    mark = f"+{hashlib.sha256(changes.encode()).hexdigest()[:8]}" if changes else ""
    return f"{head.strip()}{mark}"


def _git(*words: str) -> str:
    command = ("git", "-C", str(TREE), *words)
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


if __name__ == "__main__":
    sys.exit(main())
