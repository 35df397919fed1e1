"""Sizes of huge pages as the kernel's files and CRI spell them."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.linux import huge_pages


@pytest.mark.parametrize(
    ("kib", "text"), [(64, "64KB"), (2048, "2MB"), (32768, "32MB"), (1048576, "1GB"), (16777216, "16GB")]
)
def test_sizes_are_spelt_as_the_cgroup_files_are(kib: int, text: str) -> None:
    assert huge_pages.spelt(kib * 1024) == text


def test_what_a_kernel_has(tmp_path: Path) -> None:
    for name in ("hugepages-1048576kB", "hugepages-2048kB", "other"):
        (tmp_path / name).mkdir()
    assert list(huge_pages.pages(str(tmp_path))) == [2 << 20, 1 << 30]
    assert huge_pages.sizes(str(tmp_path)) == ("2MB", "1GB")
    assert huge_pages.sizes(str(tmp_path / "nowhere")) == ()
