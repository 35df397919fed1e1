"""What the host says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost
from podwright.runtime import host


def test_this_hosts_huge_pages_have_their_files() -> None:
    cgroups = cgroup.detect()
    directory = cgroups.directory("/", "hugetlb")
    for size in host.host_facts(cgroups).cgroups.huge_page_sizes:
        assert list(Path(directory or "").rglob(f"hugetlb.{size}.*"))


@pytest.mark.parametrize("swap", [True, False])
def test_swap_accounting_on_v2(tmp_path: Path, swap: bool) -> None:
    (tmp_path / "system.slice").mkdir()
    if swap:
        (tmp_path / "system.slice/memory.swap.max").write_text("max\n")
    cgroups = CgroupHost(layout="v2", unified=str(tmp_path), unified_controllers=frozenset({"memory"}))
    facts = host.host_facts(cgroups).cgroups
    assert (facts.swap, facts.unified, facts.huge_page_sizes) == (swap, True, frozenset())
