"""`podwright conformance` as people call it; the cases themselves run in the suite proper."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.conformance.run import Options, arguments


def conformance(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command, called from a folder that has nothing to do with us."""
    command = [sys.executable, "-m", "podwright", "conformance", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=patient(100), check=False)


@pytest.mark.root
def test_cases_run_on_a_server_that_is_there(cri_server: CriPeer, image: str, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    chosen = "test_version or test_status_tells_what_was_asked_for or test_the_same_request_again"
    done = conformance(
        *("--endpoint", cri_server.endpoint, "--image", image, "--cgroup-parent", cri_server.cgroup_parent),
        *("-k", chosen, "--report", str(report)),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    suite = ET.parse(report).getroot()[0]
    assert int(suite.get("tests", "0")) >= 3
    assert suite.get("failures") == suite.get("errors") == "0"


@pytest.mark.root
def test_a_case_that_fails_is_told(cri_server: CriPeer, tmp_path: Path) -> None:
    done = conformance(
        *("--endpoint", cri_server.endpoint, "--image", "127.0.0.1:1/nowhere:1", "-k", "test_status_tells_what"),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "test_status_tells_what_was_asked_for" in done.stdout


def test_cases_are_listed_without_a_server(tmp_path: Path) -> None:
    done = conformance("--list", cwd=tmp_path)
    assert done.returncode == 0
    assert "test_sandbox.py::test_status_tells_what_was_asked_for" in done.stdout


def test_nothing_listens(tmp_path: Path) -> None:
    done = conformance("--endpoint", f"unix://{tmp_path}/none.sock", cwd=tmp_path)
    assert done.returncode == 1
    assert "no process listens" in done.stderr


def test_options_become_pytest_s() -> None:
    words = arguments(Options(endpoint="unix:///x", image="i", select="a or b", report="r.xml", verbose=True))
    assert words[words.index("-k") :][:2] == ["-k", "a or b"]
    assert "--endpoint=unix:///x" in words
    assert "-v" in words
