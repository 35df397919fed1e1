"""kill -9 of the agent before each change that it makes to volumes: its successor mends everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from podwright.conformance.patience import patient

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.mark.parametrize(("scenario", "least_steps"), [("set-up", 60), ("take-down", 30)])
def test_a_successor_mends_what_a_kill_left(root: Path, scenario: str, least_steps: int) -> None:
    command = [sys.executable, "-m", "tests.agent.volumes.victim", str(root), scenario]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=patient(110), check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert int(ended.stdout) >= least_steps
