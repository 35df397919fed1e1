"""$(NAME) in texts: as Kubernetes' own table has it, and properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.configs.expansion import expand, expand_all
from podwright.errors import NotFound

VARIABLES = {"VAR_A": "A", "VAR_B": "B", "VAR_C": "C", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("$(VAR_A)$(VAR_B)", "AB"),
        ("f000-$VAR_A", "f000-$VAR_A"),
        ("$(VAR_REF)", "$(VAR_A)"),  # a value is not expanded again
        ("%%$(VAR_REF)--$(VAR_REF)%%", "%%$(VAR_A)--$(VAR_A)%%"),
        ("foo$(VAR_EMPTY)bar", "foobar"),
        ("foo$(VAR_Awhoops!", "foo$(VAR_Awhoops!"),
        ("f00__(VAR_A)__", "f00__(VAR_A)__"),
        ("$?_boo_$!", "$?_boo_$!"),
        ("$VAR_A", "$VAR_A"),
        ("$(VAR_DNE)", "$(VAR_DNE)"),
        ("$$$$$$(BIG_MONEY)", "$$$(BIG_MONEY)"),
        ("$$$$$$(VAR_A)", "$$$(VAR_A)"),
        ("$$$$$$$(GOOD_ODDS)", "$$$$(GOOD_ODDS)"),
        ("$$$$$$$(VAR_A)", "$$$A"),
        ("$VAR_A)", "$VAR_A)"),
        ("${VAR_A}", "${VAR_A}"),
        ("$(VAR_B)_______$(A", "B_______$(A"),
        ("$(C_)_______$(A", "$(C_)_______$(A"),
        ("$(VAR_A", "$(VAR_A"),
        ("$()", "$()"),
        ("$($(VAR_A))", "$($(VAR_A))"),  # the name is "$(VAR_A"
        ("\n$", "\n$"),
        ("foo$$(VAR_A", "foo$(VAR_A"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, VARIABLES) == expected


def test_the_first_scope_wins() -> None:
    assert expand("$(A)$(B)", {"A": "1"}, {"A": "2", "B": "3"}) == "13"


@given(st.text())
def test_a_text_without_dollars_stays(text: str) -> None:
    plain = text.replace("$", "")
    assert expand(plain, VARIABLES) == plain


@given(st.text())
def test_doubled_dollars_give_the_text_itself(text: str) -> None:
    assert expand(text.replace("$", "$$"), VARIABLES) == text


@given(st.lists(st.tuples(st.from_regex(r"[A-Z][A-Z0-9_]{0,5}", fullmatch=True), st.text()), max_size=5))
def test_every_reference_is_replaced_once(pairs: list[tuple[str, str]]) -> None:
    scope = dict(pairs)
    text = "|".join(f"$({name})" for name, _ in pairs)
    assert expand(text, scope) == "|".join(scope[name] for name, _ in pairs)


def test_expand_all_names_what_is_missing_or_empty() -> None:
    assert expand_all("$(VAR_A)/$$(x)", VARIABLES) == "A/$(x)"
    with pytest.raises(NotFound, match=r"^missing value for NO, VAR_EMPTY$"):
        expand_all("$(VAR_EMPTY)/$(NO)/$(VAR_A)", VARIABLES)
