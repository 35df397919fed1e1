"""A root directory for a volume manager, and the unmounting of all that tests mount below it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.linux import detached
from podwright.linux.mount import read_mounts
from tests.harness.scratch import Scratch


@pytest.fixture
def root(scratch: Scratch) -> Iterator[Path]:
    """An agent's root directory, in a directory of the test's own."""
    folder = scratch.part("volumes").directory
    path = folder / "root"
    path.mkdir()
    yield path
    for point in reversed([point.target for point in read_mounts() if point.target.startswith(f"{folder}/")]):
        detached.detach(point)
    shutil.rmtree(folder)


def mounts_in(path: Path) -> list[str]:
    """The mount points below a directory."""
    return [point.target for point in read_mounts() if point.target.startswith(f"{path}/")]
