"""Links between the documents lead somewhere, and the files that they name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
PAGES = [TREE / "README.md", TREE / "CONTRIBUTING.md", *sorted((TREE / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
ROOMS = [TREE / "podwright", TREE / "podwright/runtime", TREE / "podwright/agent", TREE]
FILE = re.compile(r"`([a-z0-9_]+(?:/[a-z0-9_]+)+\.py)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TREE)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TREE)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = FILE.findall(page.read_text())
    assert [file for file in named if not any((room / file).exists() for room in ROOMS)] == []


def test_every_page_is_in_the_index() -> None:
    linked = set(LINK.findall((TREE / "docs/README.md").read_text()))
    pages = {page.name for page in (TREE / "docs").glob("*.md")} - {"README.md"}
    assert pages - linked == set()
