"""The tool that says what CNI plugins cost by themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest

from podwright.conformance.patience import patient

pytestmark = pytest.mark.root


def test_both_ways_are_measured_and_nothing_stays() -> None:
    argv = [sys.executable, "-m", "tools.cni_floor", "--count", "1", "--at-once", "2", "--standing", "1"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=patient(60))
    head, *rows = done.stdout.splitlines()
    assert head.startswith("2 at once, 1 standing")
    assert [row[:13].strip() for row in rows] == ["ADD Podwright", "ADD by hand", "DEL Podwright", "DEL by hand"]
    assert all(float(number) > 0 for row in rows for number in row[13:].replace("CPU", "").split())
    assert "floor0" not in subprocess.run(["ip", "link"], check=True, capture_output=True, text=True).stdout
