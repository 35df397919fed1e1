from __future__ import annotations

import pytest

from podwright.runtime.image.trees import ImageTree, of_layers


@pytest.mark.parametrize(
    ("layers", "describing", "tree"),
    [
        ("a", "", ImageTree(("/a",), "/a")),
        ("abc", "", ImageTree(("/c", "/b", "/a"), "/a")),
        ("abc", "b", ImageTree(("/c", "/b", "/a"), "/b")),
        ("abc", "cb", ImageTree(("/c", "/b", "/a"), "/b")),
        ("aa", "", ImageTree(("/a",), "/a")),
        ("abab", "b", ImageTree(("/b", "/a"), "/b")),
        ("abba", "", ImageTree(("/a", "/b"), "/a")),
    ],
)
def test_the_tree_of_layers(layers: str, describing: str, tree: ImageTree) -> None:
    assert of_layers(list(layers), lambda layer: f"/{layer}", describing.__contains__) == tree
