"""The tree as a guest gets it: its files, and their bytecode, which an emulated processor is slow to make."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

from tools.vm.image import Image
from tools.vm.process import run_logged
from tools.vm.recipe import TREE, VENV

GIT_TIMEOUT_S, TAR_TIMEOUT_S, COMPILE_TIMEOUT_S = 60.0, 120.0, 900.0
LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
TEST_FILES = r"/test_[^/]*\.py$"  # pytest makes bytecode of its own of them, with its assertions


def packed(tree: Path, image: Image) -> bytes:
    """A tar archive with the files that git knows, as they are now, and bytecode for the Python of the image.

    It is made in the image's own system, and kept there for files that do not change. Raises VmError.
    """
    place = image.root / TREE.lstrip("/")
    with (image.folder / "tree.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lay_out(tree, place)
        log = image.folder / "compile.log"
        run_logged(compile_argv(image.root), log, timeout_s=COMPILE_TIMEOUT_S, what="compileall")
        return _tar(("--create", "--exclude=*.egg-info", "."), place)


def compile_argv(root: Path) -> tuple[str, ...]:
    """Make bytecode of what has changed, by the Python that is in `root`. Pure."""
    compileall = ("-m", "compileall", "-q", "-x", TEST_FILES)
    return ("chroot", str(root), f"{VENV}/bin/python", *compileall, TREE)


def lay_out(tree: Path, place: Path) -> None:
    """Make `place` hold the files that git knows in `tree`. Bytecode stays.

    Files keep their times: by them Python knows which bytecode is still right.
    """
    listed = subprocess.run(
        ("git", "-C", str(tree), *LIST), check=True, capture_output=True, timeout=GIT_TIMEOUT_S
    ).stdout
    wanted = {name for name in listed.split(b"\0") if name and (tree / os.fsdecode(name)).exists()}
    for folder, _, names in os.walk(os.fsencode(place)):
        if folder.endswith((b".egg-info", b"__pycache__")):
            continue
        for path in (os.path.join(folder, name) for name in names):
            if os.path.relpath(path, os.fsencode(place)) not in wanted:
                os.unlink(path)
    files = _tar(("--null", "--files-from=-", "--create"), tree, b"\0".join(sorted(wanted)))
    _tar(("--extract",), place, files)


def _tar(arguments: tuple[str, ...], folder: Path, given: bytes = b"") -> bytes:
    done = subprocess.run(
        ("tar", "-C", str(folder), *arguments), input=given, check=True, capture_output=True, timeout=TAR_TIMEOUT_S
    )
    return done.stdout
