"""Patches."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.k8s.objects import Node, Pod
from podwright.k8s.objects.base import Kind
from tests.harness.apiserver.failures import ApiError
from tests.harness.apiserver.merging.apply import patched
from tests.harness.apiserver.merging.json_merge import merge
from tests.harness.apiserver.merging.json_patch import operate
from tests.harness.apiserver.merging.strategic import strategic_merge
from tests.harness.apiserver.resources import find

A, B, C, D = ({"name": name, "image": name} for name in "abcd")
STRATEGIC: dict[str, tuple[type[Kind], Any, Any, Any]] = {
    "maps merge, null deletes": (
        Pod,
        {"metadata": {"labels": {"a": "1", "b": "2"}}},
        {"metadata": {"labels": {"a": None, "c": "3"}}},
        {"metadata": {"labels": {"b": "2", "c": "3"}}},
    ),
    "lists merge by key": (
        Pod,
        {"spec": {"containers": [A, B]}},
        {"spec": {"containers": [{"name": "b", "image": "x"}, C]}},
        {"spec": {"containers": [A, {"name": "b", "image": "x"}, C]}},
    ),
    "an item is deleted": (
        Pod,
        {"spec": {"containers": [A, B]}},
        {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}},
        {"spec": {"containers": [B]}},
    ),
    "a list is replaced": (
        Pod,
        {"spec": {"containers": [A, B]}},
        {"spec": {"containers": [{"$patch": "replace"}, C]}},
        {"spec": {"containers": [C]}},
    ),
    "a map is replaced": (
        Pod,
        {"spec": {"securityContext": {"runAsUser": 1, "fsGroup": 2}}},
        {"spec": {"securityContext": {"$patch": "replace", "runAsUser": 3}}},
        {"spec": {"securityContext": {"runAsUser": 3}}},
    ),
    "lists without a key are replaced": (
        Pod,
        {"spec": {"containers": [{"name": "a", "args": ["x", "y"]}]}},
        {"spec": {"containers": [{"name": "a", "args": ["z"]}]}},
        {"spec": {"containers": [{"name": "a", "args": ["z"]}]}},
    ),
    "sets of values merge": (
        Pod,
        {"metadata": {"finalizers": ["a", "b"]}},
        {"metadata": {"finalizers": ["b", "c"]}},
        {"metadata": {"finalizers": ["a", "b", "c"]}},
    ),
    "a value leaves a set": (
        Pod,
        {"metadata": {"finalizers": ["a", "b"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
        {"metadata": {"finalizers": ["b"]}},
    ),
    "an order is set": (
        Pod,
        {"spec": {"containers": [A, B]}},
        {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}], "containers": [C]}},
        {"spec": {"containers": [C, B, A]}},
    ),
    "what an order does not name stays before what it stood before": (
        Pod,
        {"spec": {"containers": [A, B, C, D]}},
        {"spec": {"$setElementOrder/containers": [{"name": "d"}, {"name": "a"}]}},
        {"spec": {"containers": [B, C, D, A]}},
    ),
    "new items come before those that are not named": (
        Pod,
        {"spec": {"containers": [A, B]}},
        {"spec": {"containers": [{"name": "a", "image": "x"}, C]}},
        {"spec": {"containers": [{"name": "a", "image": "x"}, C, B]}},
    ),
    "only some keys stay": (
        Pod,
        {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}},
        {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}},
        {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}},
    ),
    "conditions merge by type": (
        Node,
        {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "r"}]}},
        {"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "False"}]}},
        {
            "status": {
                "conditions": [
                    {"type": "Ready", "status": "True", "reason": "r"},
                    {"type": "DiskPressure", "status": "False"},
                ]
            }
        },
    ),
    "images are replaced": (
        Node,
        {"status": {"images": [{"names": ["a"]}]}},
        {"status": {"images": [{"names": ["b"]}]}},
        {"status": {"images": [{"names": ["b"]}]}},
    ),
}


@pytest.mark.parametrize("case", STRATEGIC)
def test_strategic_merge(case: str) -> None:
    kind, before, patch, after = STRATEGIC[case]
    copy = repr(before)
    assert strategic_merge(before, patch, kind) == after
    assert repr(before) == copy


def test_strategic_merge_needs_the_key() -> None:
    with pytest.raises(ValueError, match="merge key: name"):
        strategic_merge({"spec": {"containers": [A]}}, {"spec": {"containers": [{"image": "x"}]}}, Pod)


@pytest.mark.parametrize(
    ("target", "patch", "result"),  # RFC 7386, appendix A
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, result: Any) -> None:
    assert merge(target, patch) == result


@pytest.mark.parametrize(
    ("before", "steps", "after"),  # RFC 6902, appendix A
    [
        ({"foo": "bar"}, [("add", "/baz", "qux")], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["a", "b"]}, [("add", "/foo/1", "x")], {"foo": ["a", "x", "b"]}),
        ({"foo": ["a"]}, [("add", "/foo/-", "x")], {"foo": ["a", "x"]}),
        ({"foo": ["a", "b"]}, [("remove", "/foo/0", None)], {"foo": ["b"]}),
        ({"a": 1, "b": 2}, [("remove", "/a", None)], {"b": 2}),
        ({"a": 1}, [("replace", "/a", 2)], {"a": 2}),
        ({"a/b": 1, "m~n": 2}, [("test", "/a~1b", 1), ("replace", "/m~0n", 3)], {"a/b": 1, "m~n": 3}),
    ],
)
def test_json_patch(before: Any, steps: list[tuple[str, str, Any]], after: Any) -> None:
    assert operate(before, [{"op": op, "path": path, "value": value} for op, path, value in steps]) == after


def test_json_patch_moves_and_copies() -> None:
    moved = operate({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}])
    assert moved == {"a": {}, "c": {"d": 1}}
    assert operate({"a": 1}, [{"op": "copy", "from": "/a", "path": "/b"}]) == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    "steps",
    [
        [{"op": "test", "path": "/a", "value": 2}],
        [{"op": "remove", "path": "/b"}],
        [{"op": "replace", "path": "/b", "value": 1}],
        [{"op": "add", "path": "/l/9", "value": 1}],
        [{"op": "sing", "path": "/a"}],
        [{"path": "/a"}],
        {"op": "add"},
    ],
)
def test_a_patch_that_cannot_be_applied_is_refused(steps: Any) -> None:
    resource = find("v1", "pods")
    assert resource is not None
    with pytest.raises(ApiError) as caught:
        patched({"a": 1, "l": []}, steps, "application/json-patch+json", resource)
    assert caught.value.code == 422
    with pytest.raises(ApiError) as caught:
        patched({}, {}, "text/plain", resource)
    assert caught.value.code == 415
