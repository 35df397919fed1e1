"""Modules of daemons are loaded without garbage collections, and kept out of later ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from podwright.conformance.patience import patient


def answer(script: str) -> str:
    """What a process of its own says: what is frozen stays so until its end."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=patient(60))
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        pytest.param("import decimal", "False True True", id="loaded"),
        pytest.param("import nothing_of_this_name", "False True False", id="a module is missing"),
    ],
)
def test_nothing_is_collected_inside_and_what_was_loaded_is_frozen(inside: str, said: str) -> None:
    script = f"""
import gc
from podwright.loading import modules_to_keep
try:
    with modules_to_keep():
        during = gc.isenabled()
        {inside}
except ImportError:
    pass
print(during, gc.isenabled(), gc.get_freeze_count() > 0)
"""
    assert answer(script) == said


@pytest.mark.parametrize("command", ["agent", "serve"])
def test_a_daemon_freezes_its_modules(command: str) -> None:
    script = f"""
import gc, sys
import asyncio
def run(main):
    main.close()
    print(gc.isenabled(), gc.get_freeze_count() > 10_000)
asyncio.run = run
from podwright.cli.app import run as cli
flags = {{"agent": ["--fail-cgroupv1=false", "--fail-swap-on=false", "--lock-file=/nonexistent/lock"], "serve": []}}
sys.exit(cli([{command!r}, *flags[{command!r}]]))
"""
    assert answer(script).splitlines()[-1] == "True True"


@pytest.mark.parametrize("engine", ["native", "docker"])
def test_the_modules_of_an_engine_are_frozen_as_well(engine: str, tmp_path: Path) -> None:
    script = f"""
import asyncio, contextlib, gc, sys
from podwright.errors import PodwrightError
from podwright.process import PosixProcessRunner
from podwright.runtime.config import parse_config
from podwright.runtime.engines import making
from podwright.runtime.state import Database
root = {str(tmp_path)!r}
settings = {{"engine": {engine!r}, "root": root, "state": root, "docker": {{"socket": root + "/none.sock"}}}}
with contextlib.closing(Database(root)) as database:
    with contextlib.suppress(PodwrightError):  # without root, or without an Engine
        asyncio.run(making.make(parse_config(settings, "test"), database, PosixProcessRunner()))
engine = sys.modules["podwright.runtime.engines.{engine}.engine"]
print(gc.isenabled(), any(each is vars(engine) for each in gc.get_objects()))
"""
    assert answer(script) == "True False"
