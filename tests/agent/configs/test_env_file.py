"""Files of variables, line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.configs.env_file import find_variable
from podwright.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("K='v'", "v"),
        ("A='1'\nK='v'\n", "v"),
        ("\n  \t\n# K='no'\n  K='v' # yes\n", "v"),
        ("K='two\nlines'\n", "two\nlines"),
        ("A='x\nK=y'\nK='v'", "v"),
        ("K='$HOME \\n \"q\" # no comment'", '$HOME \\n "q" # no comment'),
        ("K=''", ""),
        ("K= 'v'", ""),
        ("A= broken\nK='v'", "v"),
        ("A='1'", ""),
        ("", ""),
        ("K='v'\nbroken", "v"),  # what comes later is not read
        ("K='v'\r\n", "v"),
    ],
)
def test_find(text: str, value: str) -> None:
    assert find_variable(text, "K") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A='1'\nB", "line 2: missing '='"),
        ("='1'", "line 1: empty variable name"),
        ("A ='1'", "line 1: whitespace before '=' is not allowed"),
        ("A=1", "line 1: value must be enclosed in single quotes"),
        ('A="1"', "line 1: value must be enclosed in single quotes"),
        ("A='1'2", "line 1: unexpected content after closing quote"),
        ("A='1\n2'3", "line 2: unexpected content after closing quote"),
        ("\nA='1\n2", "line 2: unclosed single quote"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        find_variable(text, "K")


@given(st.text(st.characters(exclude_characters="'\r")))
def test_any_value_without_quotes_comes_back(value: str) -> None:
    assert find_variable(f"A='1'\nK='{value}' # c\n", "K") == value
