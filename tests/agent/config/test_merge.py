"""JSON merge patch, by the examples of RFC 7386 and by its properties."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config.merge import merge_patch

SCALARS = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(entry) for key, entry in value.items() if entry is not None}


NULL_FREE = OBJECTS.map(_without_nulls)


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [  # Appendix A of the RFC
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_rfc(target: Any, patch: Any, merged: Any) -> None:
    assert merge_patch(target, patch) == merged


@given(VALUES, OBJECTS)
def test_a_patch_twice_is_a_patch_once(target: Any, patch: dict[str, Any]) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(NULL_FREE)
def test_nothing_changes_nothing(target: dict[str, Any]) -> None:
    assert merge_patch(target, {}) == target


@given(NULL_FREE, NULL_FREE)
def test_for_any_two_objects_there_is_a_patch(target: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert merge_patch(target, _difference(target, wanted)) == wanted


def _difference(target: Any, wanted: Any) -> Any:
    if not isinstance(target, dict) or not isinstance(wanted, dict):
        return wanted
    patch: dict[str, Any] = {key: None for key in target if key not in wanted}
    return patch | {key: _difference(target.get(key), value) for key, value in wanted.items()}


@given(OBJECTS, OBJECTS)
def test_inputs_stay_as_they_are(target: dict[str, Any], patch: dict[str, Any]) -> None:
    before = repr((target, patch))
    merge_patch(target, patch)
    assert repr((target, patch)) == before
