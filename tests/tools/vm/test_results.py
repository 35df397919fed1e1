"""Outcomes from a guest's lines to the page of hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from tools.vm.page import Record, load, put, render, versions
from tools.vm.recorder import MARK
from tools.vm.results import Counts, Journal, Outcome, counted, parse, skip_reasons
from tools.vm.suites import DRIVERS, SUITES, pytest_argv

TREE = Path(__file__).resolve().parents[3]
CASES = """
import pytest

def test_good(): pass
def test_bad(): assert 1 == 2
def test_skipped(): pytest.skip("no need")
@pytest.mark.xfail
def test_expected(): assert False
@pytest.fixture
def broken():
    yield
    raise RuntimeError("the end")
def test_broken_end(broken): pass
"""


def record(driver: str, suite: str, counts: Counts, *, commit: str = "abc") -> Record:
    return Record(
        system="debian-12",
        driver=driver,
        suite=suite,
        date="2026-01-02",
        commit=commit,
        accelerator="tcg",
        versions={"kernel": "6.1.0", "crun": "1.8.1"},
        counts=counts,
        failed=("tests/test_a.py::test_b",) if counts.failed else (),
    )


def run_recorded(folder: Path, *options: str) -> dict[str, str]:
    """The outcomes that the plugin says of CASES."""
    (folder / "test_cases.py").write_text(CASES)
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tools.vm.recorder",
        "--rootdir",
        str(folder),
        "-c",
        os.devnull,
    )
    done = subprocess.run(
        [*command, *options, "test_cases.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )
    found = [outcome for line in done.stdout.splitlines() if (outcome := parse(line)) is not None]
    return {outcome.test.partition("::")[2]: outcome.outcome for outcome in found}


def test_every_outcome_is_reported(tmp_path: Path) -> None:
    reported = run_recorded(tmp_path)
    assert reported == {
        "test_good": "passed",
        "test_bad": "failed",
        "test_skipped": "skipped",
        "test_expected": "xfailed",
        "test_broken_end": "failed",  # the last of two
    }


def test_settled_ones_do_not_run_again(tmp_path: Path) -> None:
    settled = tmp_path / "settled"
    settled.write_text("test_cases.py::test_good\ntest_cases.py::test_skipped\n")
    assert set(run_recorded(tmp_path, f"--recorded={settled}")) == {"test_bad", "test_expected", "test_broken_end"}


@pytest.mark.parametrize("line", ["", "1 passed", "vm-test", " vm-test {}"])
def test_other_lines_are_none(line: str) -> None:
    assert parse(line) is None


def test_a_line_is_an_outcome() -> None:
    fields = {"test": "a::b", "outcome": "passed", "seconds": 1.5, "reason": ""}
    assert parse(f"{MARK}{json.dumps(fields)}\n") == Outcome(test="a::b", outcome="passed", seconds=1.5)


def test_a_journal_keeps_the_last_outcome(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "of" / "suite.jsonl")
    assert journal.outcomes() == []
    for test, outcome in (("a", "failed"), ("b", "passed"), ("a", "passed"), ("c", "failed"), ("d", "xfailed")):
        journal.add(Outcome(test=test, outcome=outcome, seconds=1))
    assert journal.settled() == ["a", "b", "d"]
    assert counted(journal.outcomes(), complete=True) == Counts(passed=2, failed=1, xfailed=1, complete=True)
    journal.forget()
    assert journal.settled() == []


def test_reasons_of_skips_are_counted() -> None:
    outcomes = [
        Outcome(test="a", outcome="skipped", seconds=0, reason="('tests/a.py', 7, 'Skipped: this host has AppArmor')"),
        Outcome(test="b", outcome="skipped", seconds=0, reason="('tests/b.py', 9, 'Skipped: this host has AppArmor')"),
        Outcome(test="c", outcome="failed", seconds=0, reason="Skipped: not this"),
    ]
    assert skip_reasons(outcomes) == {"this host has AppArmor": 2}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_a_suite_names_its_driver_and_what_exists(suite: object, driver: str) -> None:
    argv = pytest_argv(suite, driver)  # type: ignore[arg-type] # of the table
    assert f"--cgroup-driver={driver}" in argv
    assert [word for word in argv if word.startswith(("tests", "podwright/")) and not (TREE / word).exists()] == []


def test_the_page_has_a_row_for_each_suite_and_driver(tmp_path: Path) -> None:
    put(record("systemd", "conformance", Counts(passed=3, failed=1, complete=True)), tmp_path)
    put(record("cgroupfs", "conformance", Counts(passed=4, skipped=1)), tmp_path)
    put(record("systemd", "host", Counts(passed=2, complete=True), commit="def"), tmp_path)
    page = (tmp_path / "hosts.md").read_text()
    assert "| debian-12 | systemd | conformance | 3 passed, 1 failed | abc | 2026-01-02 |" in page
    assert "| debian-12 | systemd | host | 2 passed | def | 2026-01-02 |" in page
    assert "| debian-12 | cgroupfs | conformance | (4 passed, 1 skipped) | abc | 2026-01-02 |" in page
    assert "debian-12: kernel 6.1.0, crun 1.8.1; QEMU with TCG." in page
    assert "- debian-12, systemd, conformance: `tests/test_a.py::test_b`" in page
    assert render(load(tmp_path / "hosts.json")) == page


def test_a_result_replaces_the_last_one_of_its_suite(tmp_path: Path) -> None:
    put(record("systemd", "agent", Counts(passed=3, failed=1)), tmp_path)
    put(record("systemd", "agent", Counts(passed=4, complete=True), commit="def"), tmp_path)
    [kept] = load(tmp_path / "hosts.json")
    assert (kept.commit, kept.counts.passed, kept.failed) == ("def", 4, ())


def test_versions_are_of_what_matters() -> None:
    assert versions("adduser\t3\ncrun\t1.21-1\n", "6.12") == {"kernel": "6.12", "crun": "1.21-1"}


def test_a_selection_narrows_a_suite() -> None:
    argv = pytest_argv(SUITES["agent"], "systemd", "static or volume")
    assert argv[argv.index("-k") + 1] == "(not containerd and not crio) and (static or volume)"
