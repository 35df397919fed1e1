"""Limits that are written beside the runtime, and taken back: in the cgroup that limits the container."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.linux.cgroup import CgroupHost
from podwright.runtime.handlers.processes.limits import updated
from podwright.runtime.handlers.protocol import Bundle
from podwright.runtime.model.base import Resources

SCOPE = "/kubepods.slice/podwright-c.scope"
HELD = frozenset({"cpu", "memory", "hugetlb"})
LESS, MORE = (Resources(hugepage_limits=(("2MB", size << 20),)) for size in (2, 8))


def _made(root: Path, path: str) -> Path:
    """The file of the limit of huge pages in a cgroup of a made-up tree."""
    (root / path.strip("/")).mkdir(parents=True)
    file = root / path.strip("/") / "hugetlb.2MB.max"
    file.write_text("2097152\n")
    return file


async def _no_runtime(_: Resources) -> None:
    """The runtime's part."""


@pytest.mark.parametrize("fails", [False, True], ids=["works", "fails"])
@pytest.mark.parametrize("inner", ["", "/container"], ids=["runc", "crun"])
async def test_huge_pages_are_limited_where_the_runtime_does(tmp_path: Path, inner: str, *, fails: bool) -> None:
    """crun limits the cgroup below the scope: the scope's own limit would leave the lower one in force."""
    outer = _made(tmp_path, SCOPE)
    file = _made(tmp_path, f"{SCOPE}{inner}") if inner else outer
    host = CgroupHost(layout="v2", unified=str(tmp_path), unified_controllers=HELD)
    bundle = Bundle(id="c", name="c", directory=str(tmp_path), cgroup=SCOPE, owner=(0, 0))
    try:
        async with updated(host, bundle, LESS, MORE, _no_runtime):
            assert file.read_text().startswith(str(8 << 20))
            assert file == outer or outer.read_text() == "2097152\n"
            if fails:
                raise LookupError
    except LookupError:
        assert file.read_text() == "2097152\n"
