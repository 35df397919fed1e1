"""Paths of files in volumes."""

from __future__ import annotations

import pytest

from podwright.agent.volumes.payload_paths import by_clean_path, top_names
from podwright.agent.volumes.plans import PayloadFile
from podwright.errors import InvalidArgument


def files(*paths: str) -> list[PayloadFile]:
    return [PayloadFile(path=path, data=path.encode(), mode=0o644) for path in paths]


@pytest.mark.parametrize(
    ("path", "clean"), [("a", "a"), ("a/b", "a/b"), ("a//b/.", "a/b"), ("..a..", None), (".a", ".a"), ("a..b", "a..b")]
)
def test_paths_are_cleaned(path: str, clean: str | None) -> None:
    if clean is not None:
        assert list(by_clean_path(files(path))) == [clean]
    else:
        with pytest.raises(InvalidArgument):
            by_clean_path(files(path))


@pytest.mark.parametrize(
    "path", ["", ".", "/etc/passwd", "../x", "a/../../x", "a/..", "..data", "./..data", "x" * 256, "a/" * 2048, "a\0b"]
)
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid path"):
        by_clean_path(files(path))


def test_a_file_cannot_be_a_directory_as_well() -> None:
    with pytest.raises(InvalidArgument, match="a/b cannot be a file"):
        by_clean_path(files("a/b/c", "a/b"))


def test_the_last_file_of_a_path_wins() -> None:
    first, second = files("a", "./a")
    assert by_clean_path([first, second]) == {"a": second}
    assert top_names(["a", "b/c", "b/d/e"]) == {"a", "b"}
