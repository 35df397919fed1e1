"""Label selectors as apimachinery reads them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.k8s.objects import LabelSelector, LabelSelectorRequirement
from podwright.k8s.selectors import from_label_selector, from_labels
from tests.harness.apiserver.label_selectors import parse_selector

LABELS = {"app": "web", "tier": "front", "weight": "10", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=db", True),
        ("missing!=db", True),
        ("missing=db", False),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("app in (web, db)", True),
        ("app notin (web,db)", False),
        ("missing notin (web)", True),
        ("missing in (web)", False),
        ("weight>9", True),
        ("weight<10", False),
        ("app>1", False),
        ("missing>1", False),
        ("empty=", True),
        ("empty in (,a)", True),
        ("app=", False),
        (" app = web , tier in ( front ) ", True),
        ("app=web,tier=back", False),
    ],
)
def test_text_selects(text: str, matches: bool) -> None:
    selector = parse_selector(text)
    assert selector.matches(LABELS) is matches
    assert parse_selector(str(selector)) == selector


@pytest.mark.parametrize(
    "text",
    ["app=web,", ",app", "app in web", "app in (web", "app in", "=web", "a b", "app=a b", "!", "a/b/c", "w>x", "a=!b"],
)
def test_what_is_no_selector(text: str) -> None:
    with pytest.raises(InvalidArgument, match="label selector"):
        parse_selector(text)


def test_the_structured_form() -> None:
    assert not from_label_selector(None).matches({})
    assert from_label_selector(LabelSelector()).matches({})
    expression = LabelSelectorRequirement(key="tier", operator="In", values=("front", "back"))
    selector = from_label_selector(LabelSelector(match_labels={"app": "web"}, match_expressions=(expression,)))
    assert selector.matches(LABELS)
    assert not selector.matches({**LABELS, "tier": "x"})
    assert str(selector) == "app=web,tier in (front,back)"


@pytest.mark.parametrize(
    "expression",
    [
        LabelSelectorRequirement(key="a", operator="In"),
        LabelSelectorRequirement(key="a", operator="Exists", values=("b",)),
        LabelSelectorRequirement(key="a", operator="Like", values=("b",)),
        LabelSelectorRequirement(key="-a", operator="Exists"),
    ],
)
def test_structures_that_are_refused(expression: LabelSelectorRequirement) -> None:
    with pytest.raises(InvalidArgument):
        from_label_selector(LabelSelector(match_expressions=(expression,)))


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.from_regex(r"[a-z0-9]{0,5}", fullmatch=True)))
def test_labels_select_their_own_object(labels: dict[str, str]) -> None:
    selector = from_labels(labels)
    assert selector.matches({**labels, "Other": "x"})
    assert parse_selector(str(selector)) == selector


@given(st.text(alphabet="ab,()=! <>in", max_size=15))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        selector = parse_selector(text)
        assert parse_selector(str(selector)) == selector
