"""A folder with every package of requirements.lock, for the Python of the guest. The guest itself has no network."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tools.vm.process import run_logged

TIMEOUT_S = 900.0
# Wheels for glibc, from the oldest tag to that of Debian 12 (glibc 2.36).
PLATFORMS = ("manylinux1", "manylinux2010", "manylinux2014", *(f"manylinux_2_{minor}" for minor in range(5, 37)))


def download_argv(lock: Path, folder: Path, python: str) -> tuple[str, ...]:
    """pip's command line. Pure."""
    tag = f"cp{python.replace('.', '')}"
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp"]
    options += [f"--python-version={python}", *(f"--abi={abi}" for abi in (tag, "abi3", "none"))]
    options += [f"--platform={platform}_x86_64" for platform in PLATFORMS]
    return (sys.executable, "-m", "pip", "download", *options, f"--requirement={lock}", f"--dest={folder}")


def make_wheelhouse(lock: Path, folder: Path, python: str) -> None:
    """Fill the folder. Raises VmError."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder.parent / f"{folder.name}.log"
    run_logged(download_argv(lock, folder, python), log, timeout_s=TIMEOUT_S, what=f"pip for Python {python}")
