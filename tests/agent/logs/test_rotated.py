"""Which parts of a log are removed, and which are compressed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.logs.rotated import cleaning


@pytest.mark.parametrize(
    ("parts", "max_files", "remove", "compress"),
    [
        ([], 5, [], []),
        (["l.1"], 5, [], ["l.1"]),
        (["l.1.gz", "l.2"], 5, [], ["l.2"]),
        (["l.4", "l.1.gz", "l.3.gz", "l.2.gz"], 5, ["l.1.gz"], ["l.4"]),
        (["l.1", "l.2"], 2, ["l.1", "l.2"], []),
        (["l.1", "l.2"], 1, ["l.1", "l.2"], []),
        (["l.1", "l.1.tmp"], 5, ["l.1.tmp"], ["l.1"]),
        (["l.1", "l.1.gz", "l.2"], 5, ["l.1"], ["l.2"]),
    ],
    ids=[
        "none",
        "one",
        "the older one is compressed",
        "too many",
        "no parts at all",
        "less than a log",
        "half of a compressed file",
        "compressed and not removed",
    ],
)
def test_cleaning(parts: list[str], max_files: int, remove: list[str], compress: list[str]) -> None:
    plan = cleaning(parts, max_files)
    assert (sorted(plan.remove), list(plan.compress)) == (remove, compress)


STAMPS = st.integers(1, 9).map(lambda number: f"l.{number}")
PARTS = st.sets(st.builds(str.__add__, STAMPS, st.sampled_from(["", ".gz", ".tmp", ".gz.tmp"])))


@given(PARTS, st.integers(1, 6))
def test_what_stays_is_whole_and_the_newest(parts: set[str], max_files: int) -> None:
    plan = cleaning(parts, max_files)
    kept = parts - set(plan.remove)
    assert set(plan.compress) == {name for name in kept if not name.endswith(".gz")}
    whole = {name.removesuffix(".gz") for name in parts if not name.endswith(".tmp")}
    assert {name.removesuffix(".gz") for name in kept} == set(sorted(whole)[len(whole) - len(kept) :])
    assert len(kept) == min(len(whole), max(max_files - 2, 0))
