from __future__ import annotations

import pytest
import yaml

from podwright.nesting import check_nesting


@pytest.mark.parametrize("text", ["a", "a: 1", "[[1], {a: b}]", "- - - a", "[[[1]]]", "--- [[1]]\n--- [[2]]\n", ""])
def test_what_nests_three_deep_at_most(text: str) -> None:
    check_nesting(text, 3)


@pytest.mark.parametrize("text", ["[[[[]]]]", "{a: {b: {c: {d: e}}}}", "- - - - a", "a:\n b:\n  c:\n   - d"])
def test_what_nests_deeper(text: str) -> None:
    with pytest.raises(ValueError, match="more than 3 deep"):
        check_nesting(text.encode(), 3)


def test_what_nests_too_deep_for_libyaml_is_no_yaml_to_it() -> None:
    """Since PyYAML 6.0.4 libyaml itself has a limit, and looks ahead: it may see the end before we see the depth."""
    with pytest.raises((ValueError, yaml.YAMLError), match=r"more than 3 deep|maximum nesting depth"):
        check_nesting("[" * 10**5, 3)


def test_aliases() -> None:
    check_nesting("[&a 1, *a]", 3)
    with pytest.raises(ValueError, match="aliases"):
        check_nesting("[&a 1, *a]", 3, aliases=False)


def test_no_yaml() -> None:
    with pytest.raises(yaml.YAMLError):
        check_nesting("[1", 3)
